// A2A agent cards: discovery does not wake an agent. The last card seen is kept, answered while the
// agent sleeps (RFC 9111's rules for a shared cache, with Age), and its URLs are made such that the
// client can reach them, unless the card is signed. Pure but for AgentCards, which any thread may
// use.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/http/message.h"
#include "common/http/timer_wheel.h"

namespace krypton::gateway {

// More than this is no card; it passes as any other answer.
inline constexpr size_t kMaxCardBytes = 256 << 10;

// `/.well-known/agent-card.json`, and `/.well-known/agent.json` of A2A before 0.3: 0 and 1.
// nullopt: no card's path.
std::optional<int> CardIndex(std::string_view rest);

// An agent's 200 to a card's path, as the agent said it.
struct CardAnswer {
  std::string body;
  // What describes the body and its caching; nothing of the connection.
  std::vector<std::pair<std::string, std::string>> fields;
  // The request fields that the answer depends on (Vary), with the values they had.
  std::vector<std::pair<std::string, std::string>> varies;
  http::TimePoint received{};
  // The Age it came with.
  int64_t initial_age = 0;

  std::string_view Field(std::string_view name) const;
};

CardAnswer MakeCardAnswer(const http::Fields& request, const http::Fields& response,
                          std::string body, http::TimePoint now);
// RFC 9111 §3 and §3.5: a shared cache may keep it.
bool MayStore(const http::Fields& request, const CardAnswer& answer);
// RFC 9111 §4, of an agent that cannot be asked: fresh, or stale and nothing forbids it.
bool MayServe(const http::Fields& request, const CardAnswer& answer, http::TimePoint now);
// RFC 9111 §4.2.3, in seconds.
int64_t AgeOf(const CardAnswer& answer, http::TimePoint now);
// RFC 9110 §13.1.2: the client has this one already (weak comparison).
bool Matches(std::string_view if_none_match, std::string_view etag);

// Where the client reaches the agent.
struct PublicBase {
  std::string_view scheme;     // "http"
  std::string_view authority;  // The request's Host.
  std::string_view prefix;     // "/v1/agents/default/echo"
};
// The card with each interface's URL under `base`, where it names the agent's own address (a
// loopback one, or the authority that the agent saw) and not some other place. nullopt: the card
// stays as it is, because it is signed, is no JSON object, or has nothing to rewrite.
std::optional<std::string> RewriteCard(std::string_view card, const PublicBase& base,
                                       std::string_view authority_seen);

// The cards of one agent. Forgets them when the agent's spec changes.
class AgentCards {
 public:
  void Store(int index, CardAnswer answer, int64_t generation);
  std::optional<CardAnswer> Find(int index, const http::Fields& request, int64_t generation,
                                 http::TimePoint now) const;

 private:
  struct Kept {
    CardAnswer answer;
    int64_t generation = 0;
  };
  mutable std::mutex mutex_;
  std::array<std::optional<Kept>, 2> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::gateway
