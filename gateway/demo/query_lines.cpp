// One line for each answered query.
#include "gateway/demo/query_lines.h"

#include <poll.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <format>

#include "dns/codes.h"

namespace gateway::demo {

std::string line_of(const transports::Query& query, const transports::AnswerSummary& summary,
                    std::chrono::nanoseconds took, bool json) {
  const dns::Question& question = query.request.question;
  const std::string name = query.request.has_question ? question.name.to_text() : "-";
  const std::string_view transport = row_of(query.protocol).name;
  if (json) {
    return boost::json::serialize(boost::json::object{
               {"name", name},
               {"type", to_text(question.type)},
               {"transport", transport},
               {"rcode", to_text(summary.rcode)},
               {"source", to_text(summary.source)},
               {"microseconds",
                std::chrono::duration_cast<std::chrono::microseconds>(took).count()}}) +
           '\n';
  }
  return std::format("{:<28} {:<6} {:<4} {:<9} {:<9} {:.2f} ms\n", name, to_text(question.type),
                     transport, to_text(summary.rcode), to_text(summary.source),
                     std::chrono::duration<double, std::milli>(took).count());
}

void QueryLines::answered(const transports::Query& query, const transports::AnswerSummary& summary,
                          std::chrono::nanoseconds took) {
  const std::string line = line_of(query, summary, took, json_);
  const std::lock_guard lock(mutex_);
  pollfd ready{descriptor_, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const ssize_t written = write(descriptor_, line.data(), line.size());
}

}  // namespace gateway::demo
