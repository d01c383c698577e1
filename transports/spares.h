// Objects that come and go with every query, kept for the next: their memory is neither asked for
// nor given back while about as many are in use. Owned by who uses them; one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace transports {

/// Base of what is kept so.
class Spare {
  template <class Object, std::size_t Most>
  friend class Spares;
  std::size_t place_ = 0;  // in the row of all
};

/// `Most` unused ones are kept.
template <class Object, std::size_t Most>
class Spares {
 public:
  Spares() = default;
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;

  /// One that was used before, or a new one made of `arguments`.
  template <class... Arguments>
  Object& take(Arguments&&... arguments) {
    if (spare_.empty()) {
      all_.push_back(std::make_unique<Object>(std::forward<Arguments>(arguments)...));
      all_.back()->place_ = all_.size() - 1;
      return *all_.back();
    }
    Object& object = *spare_.back();
    spare_.pop_back();
    return object;
  }

  /// Its user is done with it: it may be gone then.
  void give_back(Object& object) {
    if (spare_.size() < Most) return spare_.push_back(&object);
    const std::size_t place = object.place_;
    std::swap(all_[place], all_.back());
    all_[place]->place_ = place;
    all_.pop_back();
  }

  /// All of them, used or not.
  [[nodiscard]] const std::vector<std::unique_ptr<Object>>& all() const { return all_; }

 private:
  std::vector<std::unique_ptr<Object>> all_;
  std::vector<Object*> spare_;
};

}  // namespace transports
