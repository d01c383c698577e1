// Carries the precompiled Asio headers, which CMakeLists.txt lists and the targets that use Asio share.
