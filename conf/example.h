// The example file, which is the reference of all keys: made from the tables, kept as
// conf/sallyport.example.toml, and compared with it by a test.
#pragma once

#include <string>

namespace conf {

/// Every key, commented out, with its usual value, its bounds and why one would touch it. Lines of
/// prose begin with
/// "# ", keys with "#" and the key itself; so `sed 's/^#\([^ ]\)/\1/'` makes a file that says what
/// is usual anyway.
std::string example_text();

}  // namespace conf
