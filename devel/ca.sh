#!/usr/bin/env bash
# ca DIR ALGORITHM OCSP_URL CRL_URL AIA_URL TOCSIN VAULT: a throw-away PKI in DIR whose three private keys (root, issuing CA, OCSP signer)
# are made in the SoftHSM token of DIR/tocsin.yaml and never leave it; OpenSSL signs the certificates through its PKCS#11 engine.
# Leaves root.pem, issuer.pem, ocsp-signer.pem, cert-good.pem, cert-revoked.pem, cert-demo.pem.
set -euo pipefail
dir=$1 algorithm=$2 ocsp_url=$3 crl_url=$4 aia_url=$5 tocsin=$6
cd "$dir"
export PKCS11_MODULE_PATH=/usr/lib/softhsm/libsofthsm2.so

uri() { printf 'pkcs11:token=tocsin;object=%s;type=private;pin-source=file:%s' "$1" "$dir/pin"; }

cat >ca.cnf <<C
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issuer]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ocsp]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
authorityInfoAccess = OCSP;URI:$ocsp_url,caIssuers;URI:$aia_url
crlDistributionPoints = URI:$crl_url
C

for label in root issuing-ca ocsp-1; do
        "$tocsin" --config tocsin.yaml --quiet key new --label "$label" --algorithm "$algorithm"
done

openssl req -new -x509 -engine pkcs11 -keyform engine -key "$(uri root)" -config ca.cnf -extensions root -sha256 \
        -subj "/O=Tocsin Demo/CN=Tocsin Demo Root" -days 3650 -out root.pem
"$tocsin" --config tocsin.yaml --quiet key csr --label issuing-ca --subject "/O=Tocsin Demo/CN=Tocsin Demo Issuing CA" --out issuer.csr
openssl x509 -req -in issuer.csr -engine pkcs11 -CAkeyform engine -CAkey "$(uri root)" -CA root.pem -sha256 \
        -extfile ca.cnf -extensions issuer -set_serial 0x1001 -days 1825 -out issuer.pem
"$tocsin" --config tocsin.yaml --quiet key csr --label ocsp-1 --subject "/O=Tocsin Demo/CN=Tocsin Demo OCSP Signer" --out ocsp.csr
openssl x509 -req -in ocsp.csr -engine pkcs11 -CAkeyform engine -CAkey "$(uri issuing-ca)" -CA issuer.pem -sha256 \
        -extfile ca.cnf -extensions ocsp -set_serial 0x2001 -days 90 -out ocsp-signer.pem

for name in good revoked demo; do
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "cert-$name.key" \
                -subj "/CN=$name.example" -out "cert-$name.csr"
        openssl x509 -req -in "cert-$name.csr" -engine pkcs11 -CAkeyform engine -CAkey "$(uri issuing-ca)" -CA issuer.pem -sha256 \
                -extfile ca.cnf -extensions leaf -set_serial "0x5$(openssl rand -hex 15)" -days 90 -out "cert-$name.pem"
done
rm -f ./*.csr ca.cnf
