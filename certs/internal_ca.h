// An authority of our own and a leaf under it, so that encryption works from the first minute:
// clients that trust its ca.pem get everything, others may use it opportunistically (RFC 7858
// §4.1). RFC 5280.
#pragma once

#include <ctime>
#include <expected>
#include <string>
#include <vector>

#include "base/address.h"
#include "certs/identity.h"

namespace certs {

/// What a leaf is to hold for.
struct LeafNames {
  std::vector<std::string> dns_names;
  std::vector<base::Address> addresses;
  bool operator==(const LeafNames&) const = default;
};

struct InternalLeaf {
  LeafNames names;
  Identity identity;
};

/// Files in the state directory, which is made if it is not there: `ca.pem` (mode 0644: clients
/// need it), and in `private/` (0700) `ca.key`, `server.pem` and `server.key` (0600).
class InternalCa {
 public:
  explicit InternalCa(std::string state_directory) : directory_(std::move(state_directory)) {}

  /// The leaf on disk if it is for these names and has a third of its time left, else a new one;
  /// and likewise the authority (ECDSA P-256, ten years). The error is a sentence.
  std::expected<InternalLeaf, std::string> leaf_for(const LeafNames& names, std::time_t now) const;
  [[nodiscard]] std::string authority_file() const { return directory_ + "/ca.pem"; }

 private:
  std::string directory_;
};

/// Writes a file as a whole or not at all: a temporary one in the same directory, fsync, rename.
/// The error is a sentence.
std::expected<void, std::string> write_atomically(const std::string& path, std::string_view text,
                                                  unsigned mode);

}  // namespace certs
