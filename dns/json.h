// A message as public resolvers give it to scripts: "application/dns-json", with the field names of
// theirs. Names and rdata in presentation format (RFC 1035 §5.1, RFC 3597 §5), JSON by RFC 8259.
#pragma once

#include <string>

#include "base/bytes.h"

namespace dns {

/// {"Status":0,"TC":false,…,"Question":[{"name":"example.com.","type":1}],"Answer":[{"name":…,
/// "type":1,"TTL":300,"data":"192.0.2.1"}]}. Sections without records are left out, extended errors
/// are told in words ("Comment") and in numbers. Records beyond a mebibyte of text are left out,
/// and TC says so. Whatever came over the wire is escaped, for JSON and for whoever puts it into a
/// page.
std::string message_to_json(base::Bytes message);

}  // namespace dns
