#!/bin/sh
# Makes the fixtures anew: an OpenSSL CA (`openssl ca`) with revoked certificates, its index.txt and CRL, and a foreign CA of the same name.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf ./*.pem ./*.der ./*.txt ./*.crl newcerts

cat >"$work/ca.cnf" <<C
[ca]
default_ca = d
[d]
dir = $work
database = $work/index.txt
new_certs_dir = $work/newcerts
serial = $work/serial
crlnumber = $work/crlnumber
certificate = $work/ca.pem
private_key = $work/ca.key
default_md = sha256
default_days = 25000
default_crl_days = 30000
policy = p
unique_subject = no
x509_extensions = leaf
crl_extensions = crl
[p]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
[leaf]
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://crl.example.com/7.crl
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Fixture CA
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
C
new_ca() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config "$work/ca.cnf" -extensions v3_ca -days 36000 \
                -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
ca() { openssl ca -batch -config "$work/ca.cnf" "$@" 2>/dev/null; }
new_ca ca
new_ca foreign
mkdir "$work/newcerts"
: >"$work/index.txt"
echo 0A01 >"$work/serial"
echo 01 >"$work/crlnumber"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=leaf" -keyout "$work/leaf.key" -out "$work/leaf.csr" 2>/dev/null
for i in 1 2 3 4 5 6; do ca -in "$work/leaf.csr" -out "$work/last.pem" >/dev/null; done
ca -revoke "$work/newcerts/0A01.pem" -crl_reason superseded
ca -revoke "$work/newcerts/0A02.pem" -crl_compromise 20250102030405Z
ca -revoke "$work/newcerts/0A03.pem"
ca -revoke "$work/newcerts/0A04.pem" -crl_hold holdInstructionReject
ca -gencrl -out "$work/crl.pem"
openssl crl -in "$work/crl.pem" -outform DER -out list.crl
cp "$work/crl.pem" crl.pem
cp "$work/ca.pem" ca.pem
cp "$work/foreign.pem" foreign.pem
cp "$work/index.txt" index.txt
mkdir -p newcerts/deeper
cp "$work/newcerts/0A01.pem" "$work/newcerts/0A02.pem" newcerts
openssl x509 -in "$work/newcerts/0A03.pem" -outform DER -out newcerts/deeper/0A03.der
echo "nothing to see" >newcerts/README
cat "$work/newcerts/0A05.pem" "$work/newcerts/0A06.pem" >bundle.pem
openssl x509 -req -in "$work/leaf.csr" -CA "$work/foreign.pem" -CAkey "$work/foreign.key" -set_serial 0x0A07 -days 25000 -out foreign-leaf.pem 2>/dev/null
