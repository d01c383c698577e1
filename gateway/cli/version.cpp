// `sallyport version`.
#include <openssl/crypto.h>

#include <boost/json.hpp>
#include <boost/version.hpp>
#include <format>
#include <ostream>

#include "gateway/cli/verbs.h"
#include "gateway/version.h"

namespace gateway::cli {

ExitCode version(const VersionOptions& options, Streams streams) {
  const std::string boost_version = std::format("{}.{}.{}", BOOST_VERSION / 100'000,
                                                BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
  const char* const openssl_version = OpenSSL_version(OPENSSL_VERSION_STRING);
  if (options.json) {
    streams.out << boost::json::object{{"version", gateway::version},
                                       {"openssl", openssl_version},
                                       {"boost", boost_version},
                                       {"compiler", __VERSION__}}
                << '\n';
  } else {
    streams.out << std::format("sallyport {}\nOpenSSL {}, Boost {}, {}\n", gateway::version,
                               openssl_version, boost_version, __VERSION__);
  }
  return ExitCode::ok;
}

}  // namespace gateway::cli
