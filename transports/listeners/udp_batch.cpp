// Headers, parts and control messages of a batch.
#include "transports/listeners/udp_batch.h"

#include <cstring>

namespace transports {

namespace {

/// Link-local destinations need their interface; for others the routing table chooses, as the way
/// back need not be the way it came.
bool is_link_local(const in6_addr& address) { return IN6_IS_ADDR_LINKLOCAL(&address) != 0; }

}  // namespace

// The big arrays are left untouched: a page of theirs becomes resident when a datagram needs it.
UdpBatch::UdpBatch() : memory_(new Memory) {
  for (std::size_t i = 0; i < slots; ++i) {
    incoming_parts_[i] = {memory_->incoming[i].data(), packet_size_max};
    msghdr& header = incoming_[i].msg_hdr;
    header.msg_name = &memory_->paths[i].client;
    header.msg_iov = &incoming_parts_[i];
    header.msg_iovlen = 1;
    header.msg_control = memory_->paths[i].control.data();
  }
}

std::size_t UdpBatch::receive(int descriptor) {
  for (std::size_t i = 0; i < used_; ++i) {
    incoming_[i].msg_hdr.msg_namelen = sizeof(ReturnPath::client);
    incoming_[i].msg_hdr.msg_controllen = sizeof(ReturnPath::control);
  }
  used_ = 0;
  queued_ = 0;
  int count = 0;
  do {
    count = ::recvmmsg(descriptor, incoming_.data(), slots, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return 0;
  used_ = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < used_; ++i) {
    ReturnPath& path = memory_->paths[i];
    path.client_size = incoming_[i].msg_hdr.msg_namelen;
    path.control_size = static_cast<socklen_t>(incoming_[i].msg_hdr.msg_controllen);
    if (path.control_size != 0) turn_around(path);
  }
  return used_;
}

base::Bytes UdpBatch::packet(std::size_t slot) const {
  return {memory_->incoming[slot].data(), incoming_[slot].msg_len};
}

bool UdpBatch::is_cut(std::size_t slot) const {
  return (incoming_[slot].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

base::Endpoint UdpBatch::client(std::size_t slot) const {
  return base::Endpoint::from_sockaddr(memory_->paths[slot].client.any);
}

base::MutableBytes UdpBatch::reply_memory(std::size_t slot) {
  return {memory_->outgoing[slot].data(), packet_size_max};
}

void UdpBatch::reply(std::size_t slot, std::size_t size) {
  outgoing_parts_[queued_] = {memory_->outgoing[slot].data(), size};
  address_reply(outgoing_[queued_].msg_hdr, memory_->paths[slot], outgoing_parts_[queued_]);
  queued_slots_[queued_] = slot;
  ++queued_;
}

UdpBatch::Sent UdpBatch::send_some(int descriptor, std::span<mmsghdr> messages) {
  for (;;) {
    const int count =
        ::sendmmsg(descriptor, messages.data(), static_cast<unsigned>(messages.size()),
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) return {static_cast<std::size_t>(count), 0};
    if (errno != EINTR) return {0, errno};
  }
}

void address_reply(msghdr& header, const ReturnPath& path, iovec& part) {
  header = {};
  // sendmmsg does not write to these.
  header.msg_name = const_cast<sockaddr*>(&path.client.any);
  header.msg_namelen = path.client_size;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (path.control_size == 0) return;
  header.msg_control = const_cast<std::uint8_t*>(path.control.data());
  header.msg_controllen = path.control_size;
}

void turn_around(ReturnPath& path) {
  msghdr header{};
  header.msg_control = path.control.data();
  header.msg_controllen = path.control_size;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      info.ipi_spec_dst = info.ipi_addr;
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(part), &info, sizeof info);
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      if (!is_link_local(info.ipi6_addr)) info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(part), &info, sizeof info);
    }
  }
}

}  // namespace transports
