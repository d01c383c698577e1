// What a person sees who opens a DoH server's address in a browser: what this is and how to use it.
// One page, nothing loaded from elsewhere, no script.
#pragma once

#include <string>
#include <string_view>

namespace transports {

/// HTML. `name` is the server's, `path` where DNS is asked; both become part of the URI template.
std::string human_page(std::string_view name, std::string_view path);

}  // namespace transports
