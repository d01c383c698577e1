// Where sallyport begins.
#include <csignal>
#include <iostream>

#include "certs/openssl.h"
#include "gateway/cli/verbs.h"

int main(int argument_count, char** arguments) {
  certs::set_up_openssl();  // before anything uses OpenSSL
  // A client that has gone is an error of the write to it, not of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return gateway::cli::command_line(argument_count, arguments, {std::cout, std::cerr});
}
