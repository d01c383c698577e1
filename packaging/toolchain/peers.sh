#!/usr/bin/env bash
# Prints the folder PEERS of real DNS programs for the tests: Debian 13 packages of peers.packages in
# the versions of peers.<architecture>.lock, and PEERS/bin/NAME to run them on any distribution.
#   peers.sh [--arch ARCH]    refresh the lock: peers.sh --refresh-lock
kind=peers
source "$(dirname "${BASH_SOURCE[0]}")/archive.sh"

programs=(knotd knotc keymgr kzonecheck kdig unbound unbound-checkconf dnsdist dig delv
  curl dnsperf openssl python3 nginx caddy haproxy)

# The programs and all they depend on; apt's simulated installation into nothing names them.
wanted_packages() {
  listed "$1" | xargs "${apt_get[@]}" -s install | sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*/\1=\2/p'
}

finish() {
  local root=$1 path=$2 loader triplet python name program
  loader=$(cd "$root" && echo usr/lib*/ld-linux-*.so.* | cut -d' ' -f1)
  triplet=$(cd "$root/usr/lib" && echo *-linux-gnu*)
  mkdir "$root/bin"
  # Only where needed: the tests run below python3, and must not hand such settings to what they test.
  local -A settings=([openssl]="export OPENSSL_CONF=\$R/etc/ssl/openssl.cnf OPENSSL_MODULES=\$R/usr/lib/$triplet/ossl-modules")
  for name in "${programs[@]}"; do
    program=usr/bin/$name
    [[ -e $root/$program ]] || program=usr/sbin/$name
    [[ -e $root/$program ]] || fail "no package brings the program $name"
    # The program's own loader and libraries, by argument: what it starts in turn is not affected.
    # --argv0 gives the wrapper's name, so that a program which starts itself again comes through here.
    cat >"$root/bin/$name" <<WRAPPER
#!/bin/sh
R=$path
${settings[$name]:-}
exec "\$R/$loader" --argv0 "\$R/bin/$name" --library-path "\$R/usr/lib/$triplet" "\$R/$program" "\$@"
WRAPPER
    chmod +x "$root/bin/$name"
  done
  # Python finds its modules by this file; PYTHONHOME would also reach, and break, the machine's python.
  python=$(readlink "$root/usr/bin/python3")
  printf 'home = %s\ninclude-system-site-packages = true\nversion = %s\n' \
    "$path/usr/bin" "${python#python}" >"$root/pyvenv.cfg"
}

provide "$@"
