#!/usr/bin/env bash
# Makes sure that the compiler and the build programs are there; the libraries come from sysroot.sh.
# Prints nothing when nothing is missing, which is every time but the first.
set -euo pipefail

# Each row: a program that must be found, and the package that brings it.
tools=(
  "clang++-19 clang-19"
  "ld.lld-19 lld-19"
  "llvm-ar-19 llvm-19"
  "clang-tidy-19 clang-tidy-19"
  "clang-format-19 clang-format-19"
  "ccache ccache"
  "cmake cmake"
  "ninja ninja-build"
  "git git"
  "python3 python3"
  "gpgv gpgv"
  "dpkg-deb dpkg"
  "flock util-linux"
)
# Files that have no program on the PATH: the sanitizers' runtime and the keys that sign the sysroot.
files=(
  "/usr/lib/llvm-19/lib/clang/19/lib/linux libclang-rt-19-dev"
  "/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring"
)

missing=()
for row in "${tools[@]}"; do
  command -v "${row% *}" >/dev/null || missing+=("${row#* }")
done
for row in "${files[@]}"; do
  [[ -e ${row% *} ]] || missing+=("${row#* }")
done
((${#missing[@]})) || exit 0

echo "toolchain: missing: ${missing[*]}" >&2
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
if ! command -v apt-get >/dev/null; then
  echo "toolchain: no apt-get here; install these with the machine's own means, then try again" >&2
  exit 1
elif ((EUID == 0)); then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "toolchain: this needs root once; run:" >&2
  echo "  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'" >&2
  exit 1
fi
{
  # A stale or broken third-party source must not stop us: the install says whether it mattered.
  "${as_root[@]}" apt-get update || true
  "${as_root[@]}" "${install[@]}"
} </dev/null >&2
