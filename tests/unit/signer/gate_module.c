/* gate_module: a PKCS#11 module for tests: SoftHSM behind a gate. While the file $GATE_FOLDER/armed exists, C_Sign writes
 * one octet to the FIFO $GATE_FOLDER/started and waits for one from $GATE_FOLDER/go: 'g' lets it sign, 'x' says
 * CKR_DEVICE_REMOVED. While $GATE_FOLDER/armed-login exists, so does C_Login. While $GATE_FOLDER/last-try exists, the token warns of its last PIN try.
 */
#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST gated;

static const char *gate_path(char path[256], const char *name)
{
        snprintf(path, 256, "%s/%s", getenv("GATE_FOLDER"), name);
        return path;
}

static CK_RV pass_gate(const char *name)
{
        char path[256], octet = 'S';
        int started, go;

        if (access(gate_path(path, name), F_OK) != 0)
                return CKR_OK;
        started = open(gate_path(path, "started"), O_WRONLY);
        go = open(gate_path(path, "go"), O_RDONLY);
        if (write(started, &octet, 1) != 1 || read(go, &octet, 1) != 1)
                octet = 'x';
        close(started);
        close(go);
        return octet == 'g' ? CKR_OK : CKR_DEVICE_REMOVED;
}

static CK_RV gated_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature, CK_ULONG *signature_len)
{
        CK_RV rv = pass_gate("armed");

        return rv == CKR_OK ? real->C_Sign(session, data, len, signature, signature_len) : rv;
}

static CK_RV gated_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
        CK_RV rv = pass_gate("armed-login");

        return rv == CKR_OK ? real->C_Login(session, user, pin, len) : rv;
}

static CK_RV gated_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
        CK_RV rv = real->C_GetTokenInfo(slot, info);
        char path[256];

        if (access(gate_path(path, "last-try"), F_OK) == 0)
                info->flags |= CKF_USER_PIN_FINAL_TRY;
        return rv;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
        CK_RV (*get_list)(CK_FUNCTION_LIST **);
        void *library = dlopen(SOFTHSM, RTLD_NOW);

        if (!library)
                return CKR_GENERAL_ERROR;
        *(void **)&get_list = dlsym(library, "C_GetFunctionList");
        if (get_list(&real) != CKR_OK)
                return CKR_GENERAL_ERROR;
        gated = *real;
        gated.C_Sign = gated_sign;
        gated.C_Login = gated_login;
        gated.C_GetTokenInfo = gated_token_info;
        *list = &gated;
        return CKR_OK;
}
