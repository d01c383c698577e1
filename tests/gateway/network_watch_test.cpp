// Notices of the network, in a namespace of the test's own, and the kernel's word about ways.
#include "gateway/network_watch.h"

#include <gtest/gtest.h>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "transports/descriptor.h"
#include "transports/upstreams/way_to.h"

namespace gateway {
namespace {

using namespace std::chrono_literals;

void set_loopback(bool up) {
  const transports::Descriptor any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = static_cast<short>(up ? IFF_UP : 0);
  ASSERT_EQ(::ioctl(any.get(), SIOCSIFFLAGS, &request), 0);
}

/// On a thread, for the test's own stays where it is. False: this user may not.
bool in_a_namespace(const std::function<void()>& work) {
  bool done = false;
  std::thread{[&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    done = true;
    work();
  }}.join();
  return done;
}

TEST(NetworkWatch, TellsABurstOfNoticesOnce) {
  const bool done = in_a_namespace([] {
    boost::asio::io_context context{1};
    base::Log log{{.level = base::LogLevel::off}};
    int changes = 0;
    NetworkWatch watch{context, log, [&changes] { ++changes; }};
    watch.start();
    context.run_for(50ms);
    EXPECT_EQ(changes, 0);
    set_loopback(true);  // two addresses and their routes
    context.restart();
    context.run_for(NetworkWatch::settling * 3);
    EXPECT_EQ(changes, 1);
    set_loopback(false);
    context.restart();
    context.run_for(NetworkWatch::settling * 3);
    EXPECT_EQ(changes, 2);
  });
  if (!done) GTEST_SKIP() << "no network namespace for this user";
}

TEST(WayTo, IsTheKernels) {
  const auto here = transports::way_to(base::Address::v4({127, 0, 0, 1}));
  ASSERT_TRUE(here);
  EXPECT_EQ(here->interface, ::if_nametoindex("lo"));
  EXPECT_EQ(here->source.to_text(), "127.0.0.1");
  EXPECT_TRUE(here->gateway.is_unspecified());
  EXPECT_EQ(here, transports::way_to(base::Address::v4({127, 0, 0, 1})));
}

TEST(WayTo, IsNoneWhereNoWayLeads) {
  const bool done =
      in_a_namespace([] { EXPECT_FALSE(transports::way_to(base::Address::v4({192, 0, 2, 1}))); });
  if (!done) GTEST_SKIP() << "no network namespace for this user";
}

}  // namespace
}  // namespace gateway
