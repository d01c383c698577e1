// What is done before a wake-up ends, in which order, and what has to wait for the next.
#include "transports/turn.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace transports {
namespace {

class Noted final : public Turn::Task {
 public:
  Noted(std::string& done, char name) : done_(done), name_(name) {}
  std::function<void()> more;

 private:
  void at_end_of_turn() override {
    done_ += name_;
    if (more) more();
  }

  std::string& done_;
  char name_;
};

class TurnTest : public ::testing::Test {
 protected:
  boost::asio::io_context loop{1};
  Turn& turn = Turn::of(loop);
  std::string done;
  Noted a{done, 'a'};
  Noted b{done, 'b'};
  Noted c{done, 'c'};
};

TEST_F(TurnTest, EachIsDoneOnceWhenTheOutermostEnds) {
  {
    const Turn::Scope outer(turn);
    {
      const Turn::Scope inner(turn);
      turn.at_end(a);
      turn.at_end(b);
      turn.at_end(a);
    }
    EXPECT_EQ(done, "");
  }
  EXPECT_EQ(done, "ab");
  EXPECT_EQ(loop.poll(), 0U) << "nothing was posted";
}

TEST_F(TurnTest, WhatNobodyWaitsForComesLast) {
  b.more = [this] { turn.at_end(c); };
  {
    const Turn::Scope scope(turn);
    turn.afterwards(a);
    turn.at_end(b);
  }
  EXPECT_EQ(done, "bca");
}

TEST_F(TurnTest, OutsideOfAnyTurnTheLoopHasThemDone) {
  turn.at_end(a);
  turn.at_end(b);
  EXPECT_EQ(done, "");
  EXPECT_EQ(loop.poll(), 1U) << "one call for all";
  EXPECT_EQ(done, "ab");
}

TEST_F(TurnTest, WhoWantsToGoOnWaitsUntilTheLoopComesRound) {
  int left = 3;
  a.more = [&] {
    if (--left > 0) turn.at_end(a);
  };
  {
    const Turn::Scope scope(turn);
    turn.at_end(a);
    turn.at_end(b);
  }
  EXPECT_EQ(done, "ab") << "others are not kept waiting";
  loop.restart();
  EXPECT_EQ(loop.poll_one(), 1U);
  EXPECT_EQ(done, "aba");
  loop.poll();
  EXPECT_EQ(done, "abaa");
}

TEST_F(TurnTest, TwoThatKeepEachOtherGoingDoNotKeepTheLoop) {
  a.more = [this] { turn.at_end(b); };
  b.more = [this] { turn.at_end(a); };
  {
    const Turn::Scope scope(turn);
    turn.at_end(a);
  }
  const std::size_t one_turn = done.size();
  EXPECT_GT(one_turn, 2U);
  EXPECT_LT(one_turn, 1000U);
  EXPECT_EQ(loop.poll_one(), 1U) << "and go on in the next round";
  EXPECT_GT(done.size(), one_turn);
}

TEST_F(TurnTest, WhoIsGoneIsForgotten) {
  std::optional<Noted> gone{std::in_place, done, 'x'};
  {
    const Turn::Scope scope(turn);
    turn.at_end(*gone);
    turn.at_end(a);
    gone.reset();
    turn.at_end(b);
    b.unlink();
  }
  EXPECT_EQ(done, "a");
}

TEST_F(TurnTest, ALoopHasOne) {
  boost::asio::io_context other{1};
  EXPECT_EQ(&Turn::of(loop), &turn);
  EXPECT_NE(&Turn::of(other), &turn);
}

}  // namespace
}  // namespace transports
