# clang 19 and lld against the sysroot, for every preset and architecture. The sysroot's path is asked
# for at each configuration, so that `cmake --preset NAME` alone works too.
set(SALLYPORT_ARCH "" CACHE STRING "Debian's name of the architecture to build for; empty: this machine's")
set(SALLYPORT_SANITIZE "" CACHE STRING "what -fsanitize= gets; empty: none, and a static program")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SALLYPORT_ARCH SALLYPORT_SANITIZE)

execute_process(COMMAND dpkg --print-architecture
  OUTPUT_VARIABLE host_arch OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(arch ${SALLYPORT_ARCH})
if(NOT arch)
  set(arch ${host_arch})
endif()
# One row per architecture: Debian's name, the processor, the loader.
if(arch STREQUAL amd64)
  set(processor x86_64)
  set(loader lib64/ld-linux-x86-64.so.2)
elseif(arch STREQUAL arm64)
  set(processor aarch64)
  set(loader lib/ld-linux-aarch64.so.1)
else()
  message(FATAL_ERROR "no row for the architecture ${arch} in packaging/toolchain/clang.cmake")
endif()
if(NOT arch STREQUAL host_arch)
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_SYSTEM_PROCESSOR ${processor})
endif()

execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/sysroot.sh --arch ${arch}
  OUTPUT_VARIABLE CMAKE_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(SYSROOT_LIBRARIES ${CMAKE_SYSROOT}/usr/lib/${processor}-linux-gnu)

set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_CXX_COMPILER_TARGET ${processor}-linux-gnu)
set(CMAKE_AR llvm-ar-19)
set(CMAKE_RANLIB llvm-ranlib-19)
set(CMAKE_CXX_FLAGS_INIT "--gcc-install-dir=${CMAKE_SYSROOT}/usr/lib/gcc/${processor}-linux-gnu/14")
# Position independent everywhere: the static program is loaded at a random address as well.
string(APPEND CMAKE_CXX_FLAGS_INIT " -fPIE")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-fuse-ld=lld -Wl,--gdb-index")
if(SALLYPORT_SANITIZE)
  string(APPEND CMAKE_CXX_FLAGS_INIT " -fsanitize=${SALLYPORT_SANITIZE} -fno-sanitize-recover=all")
  # Sanitizers need the dynamic C library; it is the sysroot's, for the machine's may be older.
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT
    " -pie -Wl,--dynamic-linker=${CMAKE_SYSROOT}/${loader} -Wl,-rpath,${SYSROOT_LIBRARIES}")
else()
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -static-pie")
endif()

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
