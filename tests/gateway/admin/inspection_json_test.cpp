// What the control socket is told of upstreams and names: orders are read strictly.
#include "gateway/admin/inspection_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gateway/admin/routes.h"
#include "tests/gateway/admin/fake_control.h"

namespace gateway::admin {
namespace {

TEST(InspectionJson, OrdersAreReadAsTheyAreWritten) {
  ExplainOrder order;
  order.question.name = *dns::Name::from_text("www.example.org.");
  order.question.type = dns::RrType::aaaa;
  order.ask = true;
  order.from = *base::Address::from_text("2001:db8::1");
  const auto read = explain_order_from_json(to_json(order));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->question, order.question);
  EXPECT_TRUE(read->ask);
  EXPECT_EQ(read->from, order.from);
  const auto drain = upstream_order_from_json(to_json(UpstreamOrder{"udp://192.0.2.1", false}));
  ASSERT_TRUE(drain) << drain.error();
  EXPECT_EQ(drain->url, "udp://192.0.2.1");
  EXPECT_FALSE(drain->drained);
  EXPECT_FALSE(upstream_order_from_json("")->url);
}

TEST(InspectionJson, WhatIsNoOrderIsSaidToBeNone) {
  for (const char* text :
       {"", "[]", "{", "{}", R"({"name": 1})", R"({"name": "a..b"})",
        R"({"name": "a.", "type": "NO-SUCH"})", R"({"name": "a.", "ask": 1})",
        R"({"name": "a.", "from": "me"})", R"({"name": "a.", "surplus": true})"}) {
    EXPECT_FALSE(explain_order_from_json(text)) << text;
  }
  for (const char* text : {"[]", "{", R"({"url": 1})", R"({"drained": "yes"})", R"({"x": 1})"})
    EXPECT_FALSE(upstream_order_from_json(text)) << text;
}

TEST(InspectionJson, PagesSayWhichUpstreamThereIsNot) {
  FakeControl control;
  const auto post = [&](std::string_view target, std::string_view body) {
    return respond(control, Door::unix_socket, {"POST", target, body});
  };
  EXPECT_EQ(post("/upstreams/test", "").status, 200U);
  EXPECT_EQ(post("/upstreams/test", R"({"url": "udp://192.0.2.9"})").status, 404U);
  EXPECT_EQ(post("/upstreams/drain", R"({"url": "tls://192.0.2.1"})").status, 200U);
  EXPECT_EQ(post("/upstreams/drain", R"({"url": "udp://192.0.2.9"})").status, 404U);
  EXPECT_EQ(post("/upstreams/drain", "{}").status, 400U);
  EXPECT_EQ(post("/explain", "{}").status, 400U);
  EXPECT_EQ(post("/explain", R"({"name": "example."})").status, 200U);
  const auto list = respond(control, Door::unix_socket, {"GET", "/upstreams", ""});
  const auto first = boost::json::parse(list.body).at("upstreams").at(0);
  EXPECT_EQ(first.at("workers").at(0).at("smoothed_us").as_int64(), 1500);
  // They change things, or tell names that are asked for: not by the address that anybody reads.
  EXPECT_EQ(respond(control, Door::tcp, {"GET", "/upstreams", ""}).status, 404U);
}

}  // namespace
}  // namespace gateway::admin
