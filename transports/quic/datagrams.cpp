// Messages, their parts and control messages.
#include "transports/quic/datagrams.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

namespace transports::quic {

namespace {

constexpr std::uint8_t ecn_bits = 3;

template <class Value>
void add_control(msghdr& header, std::size_t& used, int level, int type, const Value& value) {
  auto* part = reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(header.msg_control) + used);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(part), &value, sizeof value);
  used += CMSG_SPACE(sizeof value);
}

template <class Value>
Value value_of(const cmsghdr* part) {
  Value value{};
  std::memcpy(&value, CMSG_DATA(part), sizeof value);
  return value;
}

bool set(int descriptor, int level, int option) {
  const int on = 1;
  return ::setsockopt(descriptor, level, option, &on, sizeof on) == 0;
}

}  // namespace

// The big arrays are left untouched: a page of theirs becomes resident when a datagram needs it.
Datagrams::Datagrams() : memory_(new Memory) {}

void Datagrams::prepare(int descriptor, bool v6) {
  set(descriptor, SOL_UDP, UDP_GRO);
  if (v6) {
    set(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS);
  } else {
    set(descriptor, IPPROTO_IP, IP_RECVTOS);
  }
}

std::size_t Datagrams::receive(int descriptor, const base::Endpoint& local) {
  std::array<mmsghdr, slots> headers;
  std::array<iovec, slots> parts;
  for (std::size_t i = 0; i < slots; ++i) {
    Incoming& message = memory_->incoming[i];
    parts[i] = {memory_->octets[i].data(), message_size_max};
    headers[i] = {};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &message.path.remote;
    header.msg_namelen = sizeof message.path.remote;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    header.msg_control = message.control.data();
    header.msg_controllen = message.control.size();
  }
  int count = 0;
  do {
    count = ::recvmmsg(descriptor, headers.data(), slots, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return 0;
  sockaddr_storage own{};
  const auto own_size = static_cast<ngtcp2_socklen>(local.to_sockaddr(own));
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    Incoming& message = memory_->incoming[i];
    message.path.remote_size = headers[i].msg_hdr.msg_namelen;
    std::memcpy(&message.path.local, &own, sizeof message.path.local);
    message.path.local_size = own_size;
    message.ecn = 0;
    message.size = headers[i].msg_len;
    message.segment = message_size_max;
    read_control(headers[i].msg_hdr, message);
  }
  return static_cast<std::size_t>(count);
}

void Datagrams::read_control(msghdr& header, Incoming& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
      const int segment = value_of<int>(part);
      if (segment > 0) message.segment = static_cast<std::size_t>(segment);
    } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      message.path.local.in.sin_addr = value_of<in_pktinfo>(part).ipi_addr;
    } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS) {
      message.ecn = value_of<std::uint8_t>(part) & ecn_bits;
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      const auto info = value_of<in6_pktinfo>(part);
      message.path.local.in6.sin6_addr = info.ipi6_addr;
      // Link-local addresses need their interface; for others the routing table chooses.
      message.path.local.in6.sin6_scope_id =
          IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_TCLASS) {
      message.ecn = static_cast<std::uint8_t>(value_of<int>(part) & ecn_bits);
    }
  }
}

base::MutableBytes Datagrams::room(int descriptor) {
  if (queued_ == queue_max || arena_used_ + burst_size_max > arena_size) send(descriptor);
  return {memory_->arena.data() + arena_used_, burst_size_max};
}

void Datagrams::queue(const ngtcp2_path& path, std::uint8_t ecn, std::size_t size,
                      std::size_t segment) {
  Outgoing& message = memory_->outgoing[queued_++];
  std::memcpy(&message.path.local, path.local.addr, path.local.addrlen);
  std::memcpy(&message.path.remote, path.remote.addr, path.remote.addrlen);
  message.path.local_size = path.local.addrlen;
  message.path.remote_size = path.remote.addrlen;
  message.ecn = ecn;
  message.octets = {memory_->arena.data() + arena_used_, size};
  message.segment = std::min(segment, size);
  arena_used_ += size;
}

void Datagrams::address(msghdr& header, Outgoing& message, iovec& part, bool segmented) {
  header = {};
  header.msg_name = &message.path.remote;
  header.msg_namelen = message.path.remote_size;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = message.control.data();
  message.control.fill(0);
  std::size_t used = 0;
  if (message.path.local.sa.sa_family == AF_INET) {
    in_pktinfo info{};
    info.ipi_spec_dst = message.path.local.in.sin_addr;
    add_control(header, used, IPPROTO_IP, IP_PKTINFO, info);
    if (message.ecn != 0) add_control(header, used, IPPROTO_IP, IP_TOS, int{message.ecn});
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = message.path.local.in6.sin6_addr;
    info.ipi6_ifindex = message.path.local.in6.sin6_scope_id;
    add_control(header, used, IPPROTO_IPV6, IPV6_PKTINFO, info);
    if (message.ecn != 0) add_control(header, used, IPPROTO_IPV6, IPV6_TCLASS, int{message.ecn});
  }
  if (segmented) {
    add_control(header, used, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(message.segment));
  }
  header.msg_controllen = used;
}

void Datagrams::send(int descriptor) {
  std::array<mmsghdr, queue_max> headers;
  std::array<iovec, queue_max> parts;
  for (std::size_t i = 0; i < queued_; ++i) {
    Outgoing& message = memory_->outgoing[i];
    parts[i] = {message.octets.data(), message.octets.size()};
    address(headers[i].msg_hdr, message, parts[i],
            segmentation_ && message.segment < message.octets.size());
  }
  for (std::size_t at = 0; at < queued_;) {
    Outgoing& message = memory_->outgoing[at];
    const bool many = message.segment < message.octets.size();
    if (many && !segmentation_) {
      send_one_by_one(descriptor, message);
      ++at;
      continue;
    }
    const int count = ::sendmmsg(descriptor, &headers[at], static_cast<unsigned>(queued_ - at),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      for (const std::size_t end = at + static_cast<std::size_t>(count); at < end; ++at) {
        const Outgoing& gone = memory_->outgoing[at];
        sent_ += (gone.octets.size() + gone.segment - 1) / gone.segment;
      }
    } else if (errno == EINTR) {
      continue;
    } else if (many && (errno == EIO || errno == EINVAL)) {
      segmentation_ = false;  // the device cannot: from now on one datagram each
    } else {
      ++refused_;
      ++at;
    }
  }
  queued_ = 0;
  arena_used_ = 0;
}

void Datagrams::send_one_by_one(int descriptor, Outgoing& message) {
  for (base::MutableBytes rest = message.octets; !rest.empty();) {
    const base::MutableBytes one = rest.first(std::min(message.segment, rest.size()));
    rest = rest.subspan(one.size());
    iovec part{one.data(), one.size()};
    msghdr header;
    address(header, message, part, false);
    if (::sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      ++refused_;
    } else {
      ++sent_;
    }
  }
}

}  // namespace transports::quic
