// Budgets of second tries.
#include "transports/upstreams/hedge_budget.h"

#include <gtest/gtest.h>

namespace transports {
namespace {

TEST(HedgeBudget, IsAShareOfTheQueries) {
  HedgeBudget budget{5};
  unsigned hedges = 0;
  for (int i = 0; i < 2000; ++i) {
    budget.query();
    if (budget.take()) ++hedges;
  }
  EXPECT_EQ(hedges, 100U);
}

TEST(HedgeBudget, SavesUpALittle) {
  HedgeBudget budget{5};
  for (int i = 0; i < 100'000; ++i) budget.query();
  unsigned hedges = 0;
  while (budget.take()) ++hedges;
  EXPECT_EQ(hedges, static_cast<unsigned>(HedgeBudget::saved_most));
}

TEST(HedgeBudget, WhatWasOwedIsPaidBackFirst) {
  HedgeBudget budget{5};
  for (int i = 0; i < 3; ++i) budget.owe();
  unsigned queries = 0;
  for (; !budget.take(); ++queries) budget.query();
  EXPECT_EQ(queries, 80U);
}

TEST(HedgeBudget, NoneIsNone) {
  HedgeBudget budget{0};
  for (int i = 0; i < 10'000; ++i) budget.query();
  EXPECT_FALSE(budget.take());
}

}  // namespace
}  // namespace transports
