// The fake answerer and the worker of listener tests.
#include "tests/transports/worker_fixture.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "conf/load.h"
#include "dns/compose.h"
#include "dns/fit.h"
#include "gateway/admin/metrics_table.h"
#include "tests/support/allocation_count.h"
#include "tests/support/lock_count.h"

namespace transports::test {

namespace {

constexpr std::size_t big_size = 60'000;
constexpr std::size_t record_head_size = 12;  // pointer, type, class, TTL, RDLENGTH

bool asks_for(const Query& query, std::string_view name) {
  return query.verdict == dns::Verdict::accept &&
         query.request.question.name.view() == dns::Name::from_text(name)->view();
}

}  // namespace

Octets query_for(std::string_view name, std::uint16_t id, bool edns) {
  dns::Question question;
  question.name = *dns::Name::from_text(name);
  question.type = dns::RrType{65280};
  std::array<std::uint8_t, 512> out{};
  dns::OutgoingOptions options;
  options.id = id;
  options.edns = edns;
  const std::size_t size = dns::compose_query(question, options, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

Octets framed(const Octets& message) {
  Octets frame(2);
  base::store_u16(frame.data(), static_cast<std::uint16_t>(message.size()));
  return frame + message;
}

Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

std::uint16_t id_of(const Octets& message) { return base::load_u16(message.data()); }

dns::Rcode rcode_of(const Octets& message) {
  return dns::Rcode{static_cast<std::uint16_t>(message[3] & 15U)};
}

base::TimePoint FakeAnswerer::begin_batch() {
  ++batches_open_;
  first_of_batch_ = true;
  return base::Clock::now();
}

bool FakeAnswerer::answer_now(const Query& query, Reply& reply) {
  if (batches_open_ == 0) throw std::logic_error("asked outside a batch");
  if (reply.out.size() < 4096) throw std::logic_error("too little memory for a reply");
  if (!std::exchange(first_of_batch_, false)) {
    allocations_between =
        std::max(allocations_between, ::test::allocations_of_this_thread() - allocations_seen_);
    locks_between = std::max(locks_between, ::test::locks_of_this_thread() - locks_seen_);
  }
  last = query;
  ++asked_now;
  const bool answered = answer_by_name(query, reply);
  allocations = allocations_seen_ = ::test::allocations_of_this_thread();
  locks_seen_ = ::test::locks_of_this_thread();
  return answered;
}

bool FakeAnswerer::answer_by_name(const Query& query, Reply& reply) {
  if (asks_for(query, "wait.") || asks_for(query, "soon.")) return false;
  if (asks_for(query, "silent.")) return true;
  if (asks_for(query, "go.")) release();
  const dns::Rcode rcode =
      query.verdict == dns::Verdict::accept ? dns::Rcode::noerror : dns::rcode_of(query.verdict);
  reply.size = dns::fit_empty(query.request, rcode, {}, reply.out);
  if (asks_for(query, "big.")) {
    std::uint8_t* record = reply.out.data() + reply.size;
    const std::array<std::uint8_t, record_head_size> head{
        0xC0, 12, 0xFF, 0, 0, 1, 0, 0, 0, 9, big_size >> 8, big_size & 255};
    std::ranges::copy(head, record);
    std::memset(record + head.size(), 'b', big_size);
    reply.out[7] = 1;
    reply.size += head.size() + big_size;
  }
  return true;
}

void FakeAnswerer::release() {
  for (Timer* held : held_) held->cancel();
}

Awaitable<Answer> FakeAnswerer::answer_late(Query query) {
  dns::Rcode rcode = dns::Rcode::noerror;
  if (asks_for(query, "wait.")) {
    waiting_most = std::max(waiting_most.load(), ++waiting);
    Timer timer(io_.get_executor(), query.deadline);
    const auto place = held_.insert(held_.end(), &timer);
    boost::system::error_code released;
    co_await timer.async_wait(boost::asio::redirect_error(use_awaitable, released));
    held_.erase(place);
    --waiting;
    if (!released) rcode = dns::Rcode::servfail;
  }
  Answer answer;
  answer.wire.resize(dns::plain_udp_size);
  answer.wire.resize(dns::fit_empty(query.request, rcode, {}, answer.wire));
  co_return answer;
}

Worker::Worker(conf::Limits worker_limits, const certs::Store* certificates)
    : registry(gateway::admin::metric_families),
      waiting(worker_limits.queries_waiting),
      limits(worker_limits),
      sheet(registry.add_sheet()),
      quic_work(std::make_unique<quic::Workspace>(process, std::uint8_t{0}, conf::Quic{}, sheet)),
      context{.io = io,
              .answerer = answerer,
              .limits = limits,
              .proxy = proxy,
              .doh = doh,
              .certificates = certificates,
              .waiting = waiting,
              .sessions = sessions,
              .timers = timers,
              .udp_batch = udp_batch,
              .streams = *streams,
              .metrics = sheet,
              .drops = drop_counters,
              .log = log,
              .quic = quic_work.get()},
      work_(io.get_executor()),
      thread_([this] { io.run(); }) {}

Worker::~Worker() {
  if (!stopped_) stop_listeners(std::chrono::milliseconds(0)).wait();
  on_worker([this] {
    timers.stop();
    listeners.clear();
  });
  work_.reset();
  io.stop();
  thread_.join();
}

base::Endpoint Worker::listen(std::string_view url) {
  const auto address = conf::parse_listen_url(url);
  if (!address) throw std::runtime_error(address.error());
  return on_worker([this, &address] {
    listeners.push_back(
        make_listener(*address, static_cast<std::uint16_t>(listeners.size()), context));
    listeners.back()->start();
    return listeners.back()->local_endpoint();
  });
}

std::future<void> Worker::stop_listeners(std::chrono::milliseconds drain) {
  stopped_ = true;
  return boost::asio::co_spawn(io, stop_all(base::Clock::now() + drain), boost::asio::use_future);
}

Awaitable<void> Worker::stop_all(base::TimePoint drain_until) {
  for (const std::unique_ptr<Listener>& listener : listeners) co_await listener->stop(drain_until);
}

double Worker::drops(std::string_view reason) const {
  return registry.total("sallyport_drops_total", {{"reason", std::string(reason)}});
}

bool Worker::eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace transports::test
