#!/usr/bin/env bash
# Prints the folder of headers and libraries that we build against: Debian 13 packages of
# sysroot.packages in the versions of sysroot.<architecture>.lock.
#   sysroot.sh [--arch ARCH]    refresh the lock: sysroot.sh --refresh-lock
kind=sysroot
source "$(dirname "${BASH_SOURCE[0]}")/archive.sh"

# Only what is listed, no dependencies: the list is the whole truth about what we link.
wanted_packages() { listed "$1"; }

finish() { :; }

provide "$@"
