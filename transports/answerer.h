// What a listener calls. The single inversion of the house: implemented by gateway::Pipeline.
#pragma once

#include <span>

#include "base/clock.h"
#include "transports/promised_answer.h"
#include "transports/query.h"

namespace transports {

/// One per worker; all calls on that worker's thread.
class Answerer {
 public:
  virtual ~Answerer() = default;

  /// A wake-up's worth of queries: the clock, the configuration snapshot and the cache's epoch are
  /// read once here. Nests. No suspension point may lie between begin and end.
  virtual base::TimePoint begin_batch() = 0;
  virtual void end_batch() = 0;

  /// These are asked about next, in this batch: what their answers need may be fetched from memory
  /// meanwhile. A hint; queries that are to be dropped may be among them.
  virtual void expect(std::span<const Query>) {}

  /// Answers at once (refused, blocked, local, fresh) into `reply` and returns true; never
  /// suspends, never allocates. false: nothing was written, ask answer(). Only inside a batch.
  virtual bool answer_now(const Query& query, Reply& reply) = 0;

  /// SERVFAIL for a query that answer_now() did not answer and that may not wait, as too many do.
  /// Never allocates.
  virtual void answer_overload(const Query& query, Reply& reply);

  /// The long way: the promise is kept by query.deadline. `query` is copied. Inside a batch or not.
  virtual void answer(const Query& query, PromisedAnswer promise) = 0;
};

class Batch {
 public:
  explicit Batch(Answerer& answerer) : answerer_(answerer), now_(answerer.begin_batch()) {}
  ~Batch() { answerer_.end_batch(); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  [[nodiscard]] base::TimePoint now() const { return now_; }

 private:
  Answerer& answerer_;
  base::TimePoint now_;
};

}  // namespace transports
