// The admin server over real sockets: what it serves, whom it refuses, what it survives.
#include "gateway/admin/http_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <format>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "gateway/admin/control_client.h"
#include "gateway/admin/control_socket.h"
#include "tests/gateway/admin/fake_control.h"
#include "tests/gateway/admin/raw_client.h"
#include "tests/gateway/temporary_directory.h"

namespace gateway::admin {
namespace {

using namespace std::chrono_literals;
using testing::Test;

base::Endpoint loopback() { return {.address = *base::Address::from_text("127.0.0.1"), .port = 0}; }

class AdminServer : public Test {
 protected:
  AdminServer() {
    options_.listen = loopback();
    options_.server_name = "dns.example.org";
  }
  virtual std::unique_ptr<HttpServer> make_server() {
    return std::make_unique<HttpServer>(options_, nullptr, control_, log_);
  }
  void start() {
    server_ = make_server();
    server_->start();
  }
  RawClient client() { return RawClient::to(*server_->local_endpoint()); }
  /// The whole connection's octets after one request that ends it.
  std::string ask(const std::string& request) {
    RawClient asking = client();
    asking.send(request);
    return asking.rest();
  }
  static std::string get(std::string_view target, std::string_view more = "") {
    return std::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", target, more);
  }
  std::string ask_once(std::string_view target) {
    return ask(get(target, "Connection: close\r\n"));
  }

  base::Log log_{{.level = base::LogLevel::off}};
  FakeControl control_;
  HttpServer::Options options_;
  std::unique_ptr<HttpServer> server_;
};

bool has_status(const std::string& response, int status) {
  return response.starts_with(std::format("HTTP/1.1 {} ", status)) ||
         response.starts_with(std::format("HTTP/1.0 {} ", status));
}

TEST_F(AdminServer, ServesMetricsInPrometheusFormat) {
  start();
  const std::string response = ask_once("/metrics");
  EXPECT_TRUE(has_status(response, 200)) << response;
  EXPECT_TRUE(response.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
      << response;
  EXPECT_TRUE(response.ends_with("# HELP x y\nx 1\n")) << response;
}

TEST_F(AdminServer, TellsHealthAndTheReasons) {
  start();
  EXPECT_TRUE(has_status(ask_once("/healthz"), 200));
  control_.set_health({.ok = false, .reasons = {"draining", "no upstream answers"}});
  const std::string response = ask_once("/healthz");
  EXPECT_TRUE(has_status(response, 503)) << response;
  EXPECT_TRUE(response.ends_with("draining\nno upstream answers\n")) << response;
}

TEST_F(AdminServer, KeepsTheConnectionForTheNextRequest) {
  start();
  RawClient asking = client();
  for (int i = 0; i < 3; ++i) {
    asking.send(get("/healthz"));
    EXPECT_TRUE(asking.response().ends_with("ok\n"));
  }
}

TEST_F(AdminServer, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient asking = client();
  asking.send(get("/healthz") + get("/nothing") + get("/metrics", "Connection: close\r\n"));
  EXPECT_TRUE(has_status(asking.response(), 200));
  EXPECT_TRUE(has_status(asking.response(), 404));
  EXPECT_TRUE(asking.rest().ends_with("x 1\n"));
}

TEST_F(AdminServer, HeadHasTheLengthButNoBody) {
  start();
  RawClient asking = client();
  asking.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string response = asking.rest();
  EXPECT_TRUE(response.contains("Content-Length: 3\r\n")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
}

TEST_F(AdminServer, OtherMethodsGet405WithAllow) {
  start();
  const std::string response =
      ask("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(has_status(response, 405)) << response;
  EXPECT_TRUE(response.contains("Allow: GET, HEAD\r\n")) << response;
}

TEST_F(AdminServer, TcpIsReadOnly) {
  start();
  for (const char* request : {"POST /reload", "POST /cache/flush", "GET /cache", "GET /status"}) {
    EXPECT_TRUE(has_status(
        ask(std::format("{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request)),
        404))
        << request;
  }
  EXPECT_TRUE(control_.asked().empty());
}

TEST_F(AdminServer, RefusesForeignHostsAgainstDnsRebinding) {
  start();
  const auto with_host = [](std::string_view host) {
    return std::format("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host);
  };
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:9000", "[::1]:9000", "LOCALHOST", "dns.example.org:9000"}) {
    EXPECT_TRUE(has_status(ask(with_host(host)), 200)) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "", "a:b"}) {
    EXPECT_TRUE(has_status(ask(with_host(host)), 421)) << host;
  }
}

TEST_F(AdminServer, Rfc9112_3_2_OneHostIsNeeded) {
  start();
  EXPECT_TRUE(has_status(ask("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n"), 400));
  EXPECT_TRUE(has_status(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: "
                             "localhost\r\nConnection: close\r\n\r\n"),
                         400));
  EXPECT_TRUE(has_status(ask("GET /metrics HTTP/1.0\r\n\r\n"), 200));
}

TEST_F(AdminServer, WhatIsNotHttpGets400AndTheEnd) {
  start();
  for (const char* request :
       {"\x16\x03\x01\x02\x01 hello\r\n\r\n", "GET /metrics\r\n\r\n",
        "GET /metrics HTTP/9.9\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n"}) {
    EXPECT_TRUE(has_status(ask(request), 400)) << request;
  }
  EXPECT_TRUE(has_status(ask_once("/healthz"), 200));
}

TEST_F(AdminServer, HeadersAreBounded) {
  start();
  EXPECT_TRUE(has_status(ask(get("/metrics", "X: " + std::string(9000, 'x') + "\r\n")), 431));
  EXPECT_TRUE(has_status(ask(get("/" + std::string(9000, 'x'))), 431));
}

TEST_F(AdminServer, BodiesAreBounded) {
  start();
  EXPECT_TRUE(has_status(
      ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"), 413));
  const std::string chunk = std::format("{:x}\r\n{}\r\n", 3000, std::string(3000, 'x'));
  EXPECT_TRUE(has_status(
      ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
          chunk + chunk + "0\r\n\r\n"),
      413));
}

TEST_F(AdminServer, HalfARequestIsNotWaitedForLong) {
  options_.request_timeout = 50ms;
  start();
  RawClient asking = client();
  asking.send("GET /metr");
  EXPECT_TRUE(asking.closed_within(10'000));
}

// The time is for the whole request: a drip of octets does not keep it alive.
TEST_F(AdminServer, AClientThatDripsIsClosed) {
  options_.request_timeout = 200ms;
  start();
  RawClient asking = client();
  asking.send("GET /metrics HTTP/1.1\r\nX: ");
  bool closed = false;
  for (int i = 0; i < 1000 && !closed; ++i) closed = !asking.send("x") || asking.closed_within(10);
  EXPECT_TRUE(closed);
}

TEST_F(AdminServer, AnIdleConnectionIsClosed) {
  options_.idle_timeout = 50ms;
  start();
  RawClient asking = client();
  EXPECT_TRUE(asking.closed_within(10'000));
}

TEST_F(AdminServer, TheOneIdleLongestGivesWay) {
  options_.connections = 2;
  start();
  RawClient first = client();
  first.send(get("/healthz"));
  EXPECT_TRUE(has_status(first.response(), 200));
  RawClient second = client();
  second.send(get("/healthz"));
  EXPECT_TRUE(has_status(second.response(), 200));
  RawClient third = client();
  third.send(get("/healthz"));
  EXPECT_TRUE(has_status(third.response(), 200));
  EXPECT_TRUE(first.closed_within(10'000));
  second.send(get("/healthz"));
  EXPECT_TRUE(has_status(second.response(), 200));
}

TEST_F(AdminServer, WhoIsBeingServedDoesNotGiveWay) {
  options_.connections = 1;
  start();
  RawClient first = client();
  first.send(get("/healthz") +
             "GET /heal");  // the second request has begun before the first is answered
  EXPECT_TRUE(has_status(first.response(), 200));
  RawClient second = client();
  EXPECT_TRUE(second.closed_within(10'000));
  first.send("thz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(has_status(first.response(), 200));
}

TEST_F(AdminServer, StopsWithConnectionsOpen) {
  start();
  RawClient idle = client();
  RawClient half = client();
  half.send("GET /");
  server_->stop();
  EXPECT_TRUE(idle.closed_within(10'000));
  EXPECT_TRUE(half.closed_within(10'000));
}

TEST_F(AdminServer, ATakenAddressIsSaidInASentence) {
  start();
  options_.listen = server_->local_endpoint();
  try {
    make_server();
    FAIL() << "two servers on one address";
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string(error.what()).contains(options_.listen->to_text())) << error.what();
  }
}

class ControlDoor : public AdminServer {
 protected:
  ControlDoor() { options_.listen.reset(); }
  std::unique_ptr<HttpServer> make_server() override {
    return std::make_unique<HttpServer>(options_, std::make_unique<ControlSocket>(state_directory_),
                                        control_, log_);
  }
  ControlReply tell(std::string_view method, std::string_view target, std::string_view body = "") {
    const auto reply = ask_control(socket(), method, target, body, 10s);
    EXPECT_TRUE(reply) << reply.error();
    return reply.value_or(ControlReply{});
  }
  [[nodiscard]] std::string socket() const { return control_socket_path(directory_.path()); }

  TemporaryDirectory directory_;
  std::string state_directory_ = directory_.path();
};

TEST_F(ControlDoor, OnlyItsOwnerMayOpenIt) {
  start();
  struct stat status{};
  ASSERT_EQ(stat(socket().c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ControlDoor, ReloadTellsWhatChangedOrWhatIsWrong) {
  start();
  ControlReply reply = tell("POST", "/reload");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.body, R"({"ok":true,"complaints":[],"changes":["2 upstreams"]})");
  control_.set_reload({.ok = false, .complaints = {"line 3: \"x\""}, .changes = {}});
  reply = tell("POST", "/reload");
  EXPECT_EQ(reply.status, 422U);
  EXPECT_EQ(reply.body, R"({"ok":false,"complaints":["line 3: \"x\""],"changes":[]})");
}

// Upstreams may take their time; who asks for metrics meanwhile, or by the same door, does not.
TEST_F(ControlDoor, WhoWaitsForUpstreamsHoldsNobodyUp) {
  start();
  auto waiting = std::async(std::launch::async, [this] {
    return tell("POST", "/explain", R"({"name":"example.org","ask":true})").status;
  });
  while (control_.asked() != std::vector<std::string>{"explain example.org. ask"})
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(tell("GET", "/healthz").status, 200U);
  EXPECT_EQ(tell("POST", "/explain", R"({"name":"example.org"})").status, 200U);
  EXPECT_EQ(waiting.wait_for(0s), std::future_status::timeout);
  control_.let_explain();
  EXPECT_EQ(waiting.get(), 200U);
}

// The server ends when the call has ended that is under way, and not before.
TEST_F(ControlDoor, EndsWithACallUnderWay) {
  start();
  auto waiting = std::async(std::launch::async, [this] {
    return static_cast<bool>(
        ask_control(socket(), "POST", "/explain", R"({"name":"example.org","ask":true})", 10s));
  });
  while (control_.asked().empty()) std::this_thread::sleep_for(1ms);
  auto ended = std::async(std::launch::async, [this] { server_.reset(); });
  EXPECT_EQ(ended.wait_for(50ms), std::future_status::timeout);
  control_.let_explain();
  ended.get();
  EXPECT_FALSE(waiting.get());
}

TEST_F(ControlDoor, FlushTakesANameAndWhatIsBelow) {
  start();
  EXPECT_EQ(tell("POST", "/cache/flush").body, R"({"flushed":3})");
  EXPECT_EQ(tell("POST", "/cache/flush", R"({"name":"example.org"})").status, 200U);
  EXPECT_EQ(tell("POST", "/cache/flush", R"({"name":"example.org.","below":true})").status, 200U);
  EXPECT_EQ(control_.asked(), (std::vector<std::string>{"flush everything", "flush example.org.",
                                                        "flush example.org. below"}));
}

TEST_F(ControlDoor, AFlushThatIsNotUnderstoodForgetsNothing) {
  start();
  for (const char* body : {"[]", "{", R"({"nome":"example.org"})", R"({"name":5})",
                           R"({"name":"a..b"})", R"({"below":true})"}) {
    EXPECT_EQ(tell("POST", "/cache/flush", body).status, 400U) << body;
  }
  EXPECT_EQ(tell("GET", "/cache/flush").status, 405U);
  EXPECT_TRUE(control_.asked().empty());
}

TEST_F(ControlDoor, TellsStatusAndCacheAndAlsoWhatTcpTells) {
  start();
  EXPECT_TRUE(tell("GET", "/status").body.contains(R"("url":"tls://192.0.2.1","usable":false)"));
  EXPECT_TRUE(tell("GET", "/cache").body.contains(R"("entries":7)"));
  EXPECT_TRUE(tell("GET", "/metrics").body.contains("x 1"));
}

TEST_F(ControlDoor, AFailureInsideIs500AndNotTheEnd) {
  start();
  control_.break_status();
  EXPECT_EQ(tell("GET", "/status").status, 500U);
  EXPECT_EQ(tell("GET", "/cache").status, 200U);
}

TEST_F(ControlDoor, ASecondInstanceIsRefused) {
  start();
  try {
    make_server();
    FAIL() << "two gateways with one state directory";
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("another sallyport runs")) << error.what();
  }
  EXPECT_EQ(tell("GET", "/status").status, 200U);
}

TEST_F(ControlDoor, ASecondInstanceIsRefusedEvenWhenTheLockWasTidiedAway) {
  start();
  std::filesystem::remove(directory_.file(control_lock_name));
  EXPECT_THROW(make_server(), std::runtime_error);
  EXPECT_EQ(tell("GET", "/status").status, 200U);
}

TEST_F(ControlDoor, WhatADeadGatewayLeftIsReplaced) {
  {
    // A socket that was bound and whose process is gone.
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    close(dead);
  }
  start();
  EXPECT_EQ(tell("GET", "/status").status, 200U);
}

TEST_F(ControlDoor, TheSocketGoesWithTheServer) {
  start();
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(socket()));
  const auto reply = ask_control(socket(), "GET", "/status", "", 10s);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), "no sallyport listens on " + socket());
}

TEST_F(ControlDoor, MakesTheStateDirectoryForItsOwnerAlone) {
  state_directory_ = directory_.file("a/b");
  start();
  struct stat status{};
  ASSERT_EQ(stat(state_directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(ControlDoor, APathThatNoSocketCanHaveIsSaid) {
  state_directory_ = directory_.file(std::string(120, 'x'));
  try {
    start();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string(error.what()).contains("choose a shorter state directory"))
        << error.what();
  }
}

}  // namespace
}  // namespace gateway::admin
