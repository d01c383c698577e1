// RTM_GETROUTE, and its reply.
#include "transports/upstreams/way_to.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/bytes.h"
#include "transports/descriptor.h"

namespace transports {

namespace {

struct Request {
  nlmsghdr header;
  rtmsg route;
  rtattr attribute;
  std::array<std::uint8_t, 16> address;
};

Request request_for(const base::Address& address) {
  const std::size_t size = address.is_v4() ? 4 : 16;
  Request request{};
  request.header.nlmsg_len = static_cast<std::uint32_t>(offsetof(Request, address) + size);
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.route.rtm_family = address.is_v4() ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = static_cast<std::uint8_t>(8 * size);
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + size);
  request.address = address.octets();
  return request;
}

base::Address address_of(base::Bytes value) {
  if (value.size() == 4) {
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), value.data(), octets.size());
    return base::Address::v4(octets);
  }
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), value.data(), std::min(octets.size(), value.size()));
  return base::Address::v6(octets);
}

std::optional<Way> read_reply(base::Bytes reply) {
  nlmsghdr header;
  constexpr std::size_t begin = sizeof header + sizeof(rtmsg);
  if (reply.size() < begin) return std::nullopt;
  std::memcpy(&header, reply.data(), sizeof header);
  if (header.nlmsg_type != RTM_NEWROUTE || header.nlmsg_len > reply.size()) return std::nullopt;
  Way way;
  for (base::Bytes left = reply.first(header.nlmsg_len).subspan(begin);
       left.size() >= sizeof(rtattr);) {
    rtattr attribute;
    std::memcpy(&attribute, left.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > left.size()) break;
    const base::Bytes value = left.first(attribute.rta_len).subspan(sizeof attribute);
    switch (attribute.rta_type) {
      case RTA_OIF:
        if (value.size() == sizeof way.interface)
          std::memcpy(&way.interface, value.data(), sizeof way.interface);
        break;
      case RTA_GATEWAY: way.gateway = address_of(value); break;
      case RTA_PREFSRC: way.source = address_of(value); break;
      default: break;
    }
    left = left.subspan(std::min<std::size_t>(left.size(), RTA_ALIGN(attribute.rta_len)));
  }
  return way;
}

}  // namespace

std::optional<Way> way_to(const base::Address& address) {
  const Descriptor socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (socket.get() < 0) return std::nullopt;
  const Request request = request_for(address);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket.get(), &request, request.header.nlmsg_len, 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return std::nullopt;
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> reply;
  const ssize_t size = ::recv(socket.get(), reply.data(), reply.size(), MSG_DONTWAIT);
  if (size < 0) return std::nullopt;
  return read_reply(base::Bytes{reply}.first(static_cast<std::size_t>(size)));
}

}  // namespace transports
