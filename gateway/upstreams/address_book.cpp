// Asking, telling, remembering.
#include "gateway/upstreams/address_book.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <format>
#include <utility>

#include "gateway/admin/metrics_table.h"

namespace gateway::upstreams {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr milliseconds ask_most{1500};  // three datagrams, and TCP when the answer is truncated
constexpr milliseconds tick{5};
// So long who waits for an IPv4 address waits for the other family, too. RFC 8305 §3.
constexpr milliseconds resolution_delay{50};

std::string joined(const auto& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "" : ", ") + value.to_text();
  return out;
}

std::int64_t unix_now() {
  return std::chrono::floor<seconds>(system_clock::now()).time_since_epoch().count();
}

conf::Upstream plain(const base::Endpoint& resolver) {
  conf::Upstream upstream;
  upstream.url = "udp://" + resolver.to_text();
  upstream.endpoint = resolver;
  upstream.timeout = ask_most;
  return upstream;
}

}  // namespace

/// A host, and who is asked for it.
struct AddressBook::Entry {
  Entry(const conf::Upstream& upstream, AddressBook& book)
      : host(upstream.host),
        name(dns::Name::from_text(upstream.host).value_or(dns::Name{})),
        resolvers(upstream.bootstrap_resolvers),
        looked_up(book.sheet_.counter("sallyport_bootstrap_lookups_total",
                                      {{"host", host}, {"result", "ok"}})),
        not_looked_up(book.sheet_.counter("sallyport_bootstrap_lookups_total",
                                          {{"host", host}, {"result", "failed"}})),
        woken(book.context_.get_executor()),
        delayed(book.context_.get_executor()) {}

  [[nodiscard]] bool is_for(const conf::Upstream& upstream) const {
    return host == upstream.host && resolvers == upstream.bootstrap_resolvers;
  }
  [[nodiscard]] bool is_for(const AddressRow& saved) const {
    return host == saved.host && resolvers == saved.resolvers;
  }

  const std::string host;
  const dns::Name name;
  const std::vector<base::Endpoint> resolvers;
  std::vector<conf::Upstream> upstreams;  // one for each port and transport; under the book's mutex
  std::shared_ptr<transports::KnownHost> known;
  base::Counter& looked_up;
  base::Counter& not_looked_up;

  // Of the book's thread alone.
  std::vector<std::unique_ptr<transports::Upstream>> asked;  // the resolvers
  std::size_t first = 0;                                     // of them: who answered last
  AddressRow row;                                            // no addresses: nothing is known
  LookupTimes times;
  std::string complaint;  // told once
  transports::Timer woken;
  transports::Timer delayed;  // what is told of the first family alone
};

/// What a resolver says of one family.
struct AddressBook::Answered {
  bool ok = false;  ///< an answer came, with addresses or without
  FoundAddresses found{};
  std::string why{};  ///< there is no address
};

AddressBook::AddressBook(const conf::Server& server, base::MetricRegistry& metrics, base::Log& log)
    : ours_(server.listen),
      watch_network_(server.watch_network),
      path_(std::filesystem::path(server.state_directory) / "addresses.saved"),
      log_(log),
      sheet_(metrics.add_sheet()),
      unseen_(admin::metric_families),
      receive_buffer_(std::make_unique<transports::ChannelBuffers>()),
      timers_(context_, tick),
      asking_{context_.get_executor(), random_, *receive_buffer_, authorities_,
              unseen_.add_sheet(),     log_,    timers_},
      network_(context_, log_, [this] { network_changed(); }),
      tending_(context_.get_executor()) {}

AddressBook::~AddressBook() { stop(); }

std::shared_ptr<transports::KnownHost> AddressBook::find(const conf::Upstream& upstream) {
  const std::scoped_lock lock{mutex_};
  auto at =
      std::ranges::find_if(entries_, [&](const auto& each) { return each->is_for(upstream); });
  if (at == entries_.end()) {
    const auto entry = std::make_shared<Entry>(upstream, *this);
    const std::weak_ptr<Entry> weak = entry;  // the entry has the host, not the other way round
    entry->known = std::make_shared<transports::KnownHost>(
        std::format("the address of {} is not known yet, {} asked", entry->host,
                    joined(entry->resolvers) + (entry->resolvers.size() == 1 ? " is" : " are")),
        [this, weak] {
          boost::asio::post(context_, [weak] {
            const std::shared_ptr<Entry> doubted = weak.lock();
            if (!doubted) return;
            doubted->times.unreachable(base::Clock::now());
            doubted->woken.cancel();
          });
        });
    at = entries_.insert(entries_.end(), entry);
    if (!stopping_) boost::asio::co_spawn(context_, tend(entry), boost::asio::detached);
    if (!stopping_ && !thread_.joinable()) thread_ = std::thread{[this] { run(); }};
  }
  std::vector<conf::Upstream>& uses = (*at)->upstreams;
  if (std::ranges::none_of(uses, [&](const conf::Upstream& each) {
        return each.protocol == upstream.protocol && each.endpoint == upstream.endpoint;
      }))
    uses.push_back(upstream);
  return (*at)->known;
}

Addresses AddressBook::addresses_of(std::string_view url) const {
  const std::scoped_lock lock{mutex_};
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (std::ranges::contains(entry->upstreams, url, &conf::Upstream::url))
      return entry->known->addresses();
  }
  return {};
}

void AddressBook::stop() {
  {
    const std::scoped_lock lock{mutex_};
    if (std::exchange(stopping_, true) || !thread_.joinable()) return;
  }
  boost::asio::co_spawn(context_, end(), boost::asio::detached);
  thread_.join();
}

transports::Awaitable<void> AddressBook::end() {
  for (const std::shared_ptr<Entry>& entry : entries()) {
    entry->woken.cancel();
    for (const auto& resolver : entry->asked) co_await resolver->close(base::Clock::now());
  }
  co_await tending_.none_left(base::TimePoint::max());
  context_.stop();
}

// ---- on its own thread

void AddressBook::run() {
  load();
  if (watch_network_) network_.start();
  context_.run();
}

void AddressBook::load() {
  auto rows = load_addresses(path_);
  if (!rows) {
    log_.warning("saved addresses of upstreams not used, they are looked up again",
                 {{"file", path_}, {"error", rows.error()}});
  } else {
    remembered_ = *std::move(rows);
  }
}

void AddressBook::save() {
  std::vector<AddressRow> rows;
  for (const std::shared_ptr<Entry>& entry : entries()) {
    if (!entry->row.addresses.empty()) rows.push_back(entry->row);
  }
  const auto saved = save_addresses(path_, rows);
  const std::string complaint = saved ? "" : saved.error();
  if (!complaint.empty() && complaint != save_complaint_)
    log_.error("the addresses of upstreams cannot be saved, the next start looks them up",
               {{"error", complaint}});
  save_complaint_ = complaint;
}

std::vector<std::shared_ptr<AddressBook::Entry>> AddressBook::entries() {
  const std::scoped_lock lock{mutex_};
  return entries_;
}

transports::Awaitable<void> AddressBook::tend(std::shared_ptr<Entry> entry) {
  const transports::UnderWay::Mark mark{tending_};
  for (const base::Endpoint& resolver : entry->resolvers) {
    auto made = transports::make_upstream(plain(resolver), asking_);
    if (made) entry->asked.push_back(*std::move(made));
  }
  take_remembered(*entry);
  for (;;) {
    const base::TimePoint next = entry->times.next();
    if (base::Clock::now() < next) {
      co_await transports::sleep_until(entry->woken, next);
    } else if (!let_go(entry)) {
      co_await look_up(*entry);
    } else {
      break;
    }
    const std::scoped_lock lock{mutex_};
    if (stopping_) co_return;
  }
  for (const auto& resolver : entry->asked) co_await resolver->close(base::Clock::now());
}

bool AddressBook::let_go(const std::shared_ptr<Entry>& entry) {
  const std::scoped_lock lock{mutex_};
  if (entry->known.use_count() > 1) return false;
  std::erase(entries_, entry);
  return true;
}

void AddressBook::take_remembered(Entry& entry) {
  const auto row =
      std::ranges::find_if(remembered_, [&](const AddressRow& each) { return entry.is_for(each); });
  if (row == remembered_.end()) return;
  entry.row = std::move(*row);
  remembered_.erase(row);
  drop_ours(entry, entry.row.addresses);
  if (entry.row.addresses.empty()) return;
  const seconds left{
      std::clamp<std::int64_t>(entry.row.expires - unix_now(), 0, LookupTimes::ttl_most.count())};
  entry.times.remembered(base::Clock::now(), left);
  entry.known->tell(entry.row.addresses);
  log_.info("host is where it was the last time",
            {{"host", entry.host}, {"addresses", joined(entry.row.addresses)}});
}

transports::Awaitable<void> AddressBook::look_up(Entry& entry) {
  std::string why;
  for (std::size_t i = 0; i < entry.asked.size(); ++i) {
    const std::size_t at = (entry.first + i) % entry.asked.size();
    const Answered v4 = co_await ask(entry, *entry.asked[at], dns::RrType::a);
    if (!v4.found.addresses.empty() && entry.row.addresses.empty())
      tell_later(entry, in_turn(v4.found.addresses, {}));
    const Answered v6 =
        v4.ok ? co_await ask(entry, *entry.asked[at], dns::RrType::aaaa) : Answered{};
    entry.delayed.cancel();
    if (!v4.found.addresses.empty() || !v6.found.addresses.empty()) {
      entry.first = at;
      co_return found(entry, v4, v6);
    }
    if (!why.empty()) why += "; ";
    why += v4.why;
  }
  failed(entry, why);
}

/// Unless more is known by then.
void AddressBook::tell_later(Entry& entry, Addresses addresses) {
  entry.delayed.expires_after(resolution_delay);
  entry.delayed.async_wait([known = std::weak_ptr<transports::KnownHost>{entry.known},
                            addresses = std::move(addresses)](boost::system::error_code error) {
    const std::shared_ptr<transports::KnownHost> host = known.lock();
    if (!error && host && host->version() == 0) host->tell(addresses);
  });
}

transports::Awaitable<AddressBook::Answered> AddressBook::ask(Entry& entry,
                                                              transports::Upstream& resolver,
                                                              dns::RrType type) {
  const transports::Ask question{{entry.name, type, dns::RrClass::in}};
  auto reply = co_await resolver.exchange(question, base::Clock::now() + ask_most);
  if (!reply) co_return Answered{.why = std::move(reply.error().context)};
  const auto says = [&](std::string_view what) {
    return std::format("{}: {}", resolver.name(), what);
  };
  if (reply->rcode != dns::Rcode::noerror) co_return Answered{.why = says(to_text(reply->rcode))};
  Answered answered{.ok = true, .found = addresses_in(reply->wire, entry.name, type)};
  drop_ours(entry, answered.found.addresses);
  if (answered.found.addresses.empty()) answered.why = says("no address that can be used");
  co_return answered;
}

/// When nobody could tell of the second family, what was known of it stays.
void AddressBook::found(Entry& entry, const Answered& v4, const Answered& v6) {
  Addresses kept = entry.row.addresses;
  std::erase_if(kept, [](const base::Address& address) { return address.is_v4(); });
  const Addresses now = in_turn(v4.found.addresses, v6.ok ? v6.found.addresses : kept);
  seconds ttl = LookupTimes::ttl_most;
  for (const Answered* each : {&v4, &v6}) {
    if (!each->found.addresses.empty()) ttl = std::min(ttl, each->found.ttl);
  }
  ttl = LookupTimes::clamped(ttl);
  // Resolvers turn the order around; where it was found last comes first all the same.
  const bool others = !std::ranges::is_permutation(now, entry.row.addresses);
  entry.looked_up.add();
  entry.complaint.clear();
  entry.times.found(base::Clock::now(), ttl, others);
  entry.row = {entry.host, entry.resolvers, unix_now() + ttl.count(),
               others ? now : entry.row.addresses};
  entry.known->tell(entry.row.addresses);
  log_.write(
      others ? base::LogLevel::info : base::LogLevel::debug, "host looked up",
      {{"host", entry.host}, {"addresses", joined(entry.row.addresses)}, {"ttl", ttl.count()}});
  save();
}

void AddressBook::failed(Entry& entry, const std::string& why) {
  {
    const std::scoped_lock lock{mutex_};
    if (stopping_) return;
  }
  entry.not_looked_up.add();
  entry.times.failed(base::Clock::now());
  entry.known->tell_ignorance(
      std::format("the address of {} is not known yet ({})", entry.host, why));
  if (entry.complaint == why) return;
  entry.complaint = why;
  log_.warning(entry.row.addresses.empty() ? "host cannot be looked up"
                                           : "host cannot be looked up, what is known stays",
               {{"host", entry.host}, {"why", why}});
}

/// A query to ourselves would come back until its time is over.
void AddressBook::drop_ours(const Entry& entry, Addresses& addresses) {
  const std::scoped_lock lock{mutex_};
  std::erase_if(addresses, [&](const base::Address& address) {
    return std::ranges::any_of(entry.upstreams, [&](const conf::Upstream& upstream) {
      return std::ranges::any_of(ours_, [&](const conf::ListenAddress& listener) {
        return listener.takes(upstream.protocol, {address, upstream.endpoint.port});
      });
    });
  });
}

void AddressBook::network_changed() {
  for (const std::shared_ptr<Entry>& entry : entries()) {
    for (const auto& resolver : entry->asked) resolver->network_changed();
    entry->times.network_changed(base::Clock::now());
    entry->woken.cancel();
  }
}

}  // namespace gateway::upstreams
