/* private_key: read and forgotten again. */
#include "pki/private_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Called only for a key with a passphrase; nobody is asked for it. */
static int refuse_passphrase(char *buffer, int size, int is_writing, void *data)
{
        (void)buffer;
        (void)size;
        (void)is_writing;
        *(bool *)data = true;
        return 0;
}

static EVP_PKEY *read_key(struct bytes pem, bool *ret_has_passphrase)
{
        BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
        EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, ret_has_passphrase) : NULL;

        BIO_free(bio);
        ERR_clear_error();
        return key;
}

enum err private_key_read_spki(struct bytes pem, struct builder *ret_spki)
{
        bool has_passphrase = false;
        EVP_PKEY *key = read_key(pem, &has_passphrase);
        uint8_t *der = NULL;
        int len;

        if (!key)
                return has_passphrase ? ERR_DENIED : ERR_INVALID;
        len = i2d_PUBKEY(key, &der);
        EVP_PKEY_free(key);
        if (len <= 0)
                return ERR_CRYPTO;
        builder_put(ret_spki, bytes_make(der, (size_t)len));
        OPENSSL_free(der);
        return builder_failed(ret_spki) ? ERR_NOMEM : OK;
}
