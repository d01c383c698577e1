// What is at hand while a file is read: its text for complaints, its directory for relative paths.
// On the stack of load_text().
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <utility>

#include "conf/complaint.h"
#include "conf/document.h"
#include "conf/load.h"
#include "conf/units.h"

namespace conf {

class Reading {
 public:
  Reading(const Source& source, std::string directory)
      : source_(source), directory_(std::move(directory)) {}

  void complain(Place place, std::string message, std::string suggestion = {}) {
    if (complaints_.size() < complaints_most) {
      complaints_.push_back(source_.complaint(place, std::move(message), std::move(suggestion)));
    }
  }
  void complain(Place place, Refusal refusal) {
    complain(place, std::move(refusal.message), std::move(refusal.suggestion));
  }

  [[nodiscard]] bool ok() const { return complaints_.empty(); }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// As the operating system shall see it.
  [[nodiscard]] std::string path(const std::string& written) const {
    return (std::filesystem::path{directory_} / written).lexically_normal().string();
  }

  /// In the order of the file.
  Complaints take() && {
    std::ranges::stable_sort(
        complaints_, {}, [](const Complaint& each) { return std::pair{each.line, each.column}; });
    return std::move(complaints_);
  }

 private:
  const Source& source_;
  std::string directory_;
  Complaints complaints_;
};

}  // namespace conf
