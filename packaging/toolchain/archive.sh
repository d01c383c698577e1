# Debian packages unpacked into a folder, without root and without touching the machine's own apt
# state. Sourced by sysroot.sh and peers.sh, which say what is wanted:
#   kind                  the name of the package list, the lock and the folder
#   wanted_packages LIST  prints what apt is asked for when there is no lock, one NAME[=VERSION|/SUITE] a line
#   finish ROOT PATH      completes the unpacked ROOT, which will be renamed to PATH
set -euo pipefail

toolchain=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suites=(trixie trixie-backports)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "$kind: $*" >&2; }
fail() { say "$@"; exit 1; }

# provide [--arch ARCH] [--refresh-lock]: prints the folder's path, after making it if it is not there.
provide() {
  arch='' refresh=''
  while (($#)); do
    case $1 in
      --arch) arch=${2:?--arch needs a value}; shift 2 ;;
      --refresh-lock) refresh=1; shift ;;
      *) fail "unknown argument $1; known: --arch ARCH, --refresh-lock" ;;
    esac
  done
  arch=${arch:-$(dpkg --print-architecture)}
  list=$toolchain/$kind.packages
  lock=$toolchain/$kind.$arch.lock
  [[ -n $refresh ]] && refresh_lock
  [[ -f $lock ]] || fail "no lock for $arch yet; make one with $kind.sh --arch $arch --refresh-lock"

  # The script counts too: what it writes into the folder is as much a part of it as the packages.
  local cache hash
  cache=${SALLYPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport}
  hash=$(cat "$list" "$lock" "$toolchain/$kind.sh" | sha256sum)
  path=$cache/$kind-$arch-${hash:0:12}
  if [[ ! -d $path ]]; then
    mkdir -p "$cache"
    # One clone fetches, others wait and then find it done; the rename makes it whole or absent.
    exec 9>"$cache/$kind-$arch.flock"
    flock 9
    [[ -d $path ]] || fetch
    exec 9>&-
  fi
  echo "$path"
}

fetch() {
  say "fetching into $path"
  work=$(mktemp -d "$path.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  open_apt
  local chosen=$work/chosen
  locked_or_current >"$chosen"
  mkdir "$work/debs" "$work/root"
  (cd "$work/debs" && xargs -a <(as_requests "$chosen") "${apt_get[@]}" -qq download >&2)
  verify "$chosen"
  for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
  # Everything lives under usr/ today, yet the loader and linker scripts name /lib and /lib64.
  for dir in lib lib64; do
    [[ -e $work/root/$dir || ! -d $work/root/usr/$dir ]] || ln -s "usr/$dir" "$work/root/$dir"
  done
  finish "$work/root" "$path"
  mv -T "$work/root" "$path"
  rm -rf "$work"
  trap - EXIT
}

refresh_lock() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  open_apt
  { echo "# package version architecture sha256; refresh: packaging/toolchain/$kind.sh --arch $arch --refresh-lock"
    current; } >"$work/lock"
  mv "$work/lock" "$lock"
  chmod 644 "$lock"
  rm -rf "$work"
  trap - EXIT
  say "wrote $lock"
}

# The archive is the machine's own, so that no host has to be named here and local mirrors are used.
archive_uri() {
  if [[ -n ${SALLYPORT_MIRROR:-} ]]; then
    echo "$SALLYPORT_MIRROR"
  else
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security |
      awk '/debian/ && !best {best = $0} !any {any = $0} END {print best ? best : any}'
  fi
}

# A whole apt of our own in $work: sources, lists, cache and an empty installed state.
open_apt() {
  [[ -f $keyring ]] || fail "$keyring is missing (package debian-archive-keyring)"
  local uri
  uri=$(archive_uri)
  [[ -n $uri ]] || fail "apt names no archive here; set SALLYPORT_MIRROR to a Debian archive's URI"
  mkdir -p "$work"/apt/{lists/partial,cache/archives/partial,preferences.d}
  for suite in "${suites[@]}"; do echo "deb [signed-by=$keyring] $uri $suite main"; done >"$work/apt/sources.list"
  : >"$work/apt/status"
  local options=(
    -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o "Dir::State=$work/apt" -o "Dir::State::lists=$work/apt/lists" -o "Dir::State::status=$work/apt/status"
    -o "Dir::Cache=$work/apt/cache" -o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Install-Recommends=false
    -o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success= -o DPkg::Post-Invoke=
  )
  # apt's unprivileged user cannot write below a home directory; the signatures are checked all the same.
  ((EUID != 0)) || options+=(-o APT::Sandbox::User=root)
  apt_get=(apt-get "${options[@]}")
  apt_cache=(apt-cache "${options[@]}")
  "${apt_get[@]}" -qq update >&2 || fail "the archive of ${suites[*]} cannot be read; set SALLYPORT_MIRROR to one that can"
}

# Requests (NAME, NAME=VERSION or NAME/SUITE) on stdin → lines "package version architecture sha256".
resolve() {
  xargs "${apt_get[@]}" download --print-uris | awk '
    {
      name = $2; sub(/\.deb$/, "", name); split(name, part, "_"); gsub(/%3a/, ":", part[2])
      if (!sub(/^SHA256:/, "", $4)) { print "no SHA-256 for " $2 > "/dev/stderr"; exit 1 }
      print part[1], part[2], part[3], $4
    }'
}

current() { wanted_packages "$list" | resolve | sort -u; }

as_requests() { awk '!/^#/ {print $1 "=" $2}' "$1"; }

# The locked versions; archives drop superseded ones, and then the current one must do.
locked_or_current() {
  if as_requests "$lock" | resolve >"$work/offered" 2>/dev/null; then
    grep -v '^#' "$lock"
    return
  fi
  current >"$work/current"
  awk '!/^#/ {print $1}' "$lock" | xargs "${apt_cache[@]}" madison 2>/dev/null |
    awk -F' *[|] *' '{sub(/^ */, "", $1); print $1, $2}' >"$work/available"
  # A newer version may need a package that the lock does not know, or one it knows no more.
  awk -v script="$kind.sh" '
    function say(text) { print text > "/dev/stderr" }
    FILENAME ~ /available$/ { available[$1, $2] = 1; next }
    FILENAME ~ /current$/ { row[$1] = $0; version[$1] = $2; next }
    /^#/ { next }
    { known[$1] = 1 }
    ($1, $2) in available { print; next }
    $1 in row { print row[$1]; say($1 " " $2 " is gone from the archive, taking " version[$1] "; " script " --refresh-lock writes it down"); next }
    { say($1 " " $2 " is gone from the archive and nothing needs it any more") }
    END { for (name in row) if (!(name in known)) print row[name] }
  ' "$work/available" "$work/current" "$lock"
}

# apt has checked the archive's signature; this checks that the archive still means the same files.
verify() {
  local name version architecture sha256 file
  while read -r name version architecture sha256; do
    file=$work/debs/${name}_${version//:/%3a}_$architecture.deb
    echo "$sha256  $file" | sha256sum --quiet -c - >&2 ||
      fail "$name $version is not the file that $(basename "$lock") promises"
  done <"$1"
}

# The plain list: without comments, one request a line.
listed() { sed 's/#.*//' "$1" | xargs -n1; }
