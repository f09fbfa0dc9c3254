#include "manager/platform/kubernetes/proof/token_reviewer.h"

#include <openssl/sha.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using Wall = std::chrono::system_clock;

const GroupVersionResource kTokenReviews = {"authentication.k8s.io", "v1", "tokenreviews"};
// A projected token is 1 to 2 KiB.
constexpr size_t kMaxToken = 16 << 10;

std::string HashOf(const std::string& token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

absl::Status Refused(absl::string_view why) { return absl::UnauthenticatedError(why); }

// When a JWT ends by its own word, which counts because the server has found it valid.
std::optional<Wall::time_point> ExpiryOf(const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  std::string payload;
  if (parts.size() != 3 || !absl::WebSafeBase64Unescape(parts[1], &payload)) return std::nullopt;
  const auto claims = ParseJson(payload);
  if (!claims.ok() || !claims->is_object()) return std::nullopt;
  const int64_t seconds = IntAt(claims->get_object(), "exp");
  if (seconds <= 0) return std::nullopt;
  return Wall::from_time_t(seconds);
}

// The first of user.extra["authentication.kubernetes.io/NAME"].
std::string ExtraAt(const json::object& user, const std::string& name) {
  const json::object* extra = ObjectAt(user, "extra");
  const json::array* values =
      extra == nullptr ? nullptr : ArrayAt(*extra, "authentication.kubernetes.io/" + name);
  if (values == nullptr || values->size() != 1 || !values->front().is_string()) return "";
  return std::string(values->front().get_string());
}

bool HasAudience(const json::object& status, const std::string& audience) {
  const json::array* audiences = ArrayAt(status, "audiences");
  return audiences != nullptr &&
         std::any_of(audiences->begin(), audiences->end(), [&](const json::value& value) {
           return value.is_string() && value.get_string() == audience;
         });
}

absl::StatusOr<TokenIdentity> ReadReview(const json::object& review, const std::string& audience) {
  const json::object* status = ObjectAt(review, "status");
  if (status == nullptr || !BoolAt(*status, "authenticated")) {
    return Refused("the token is not valid");
  }
  if (!HasAudience(*status, audience)) return Refused("the token is for another audience");
  const json::object* user = ObjectAt(*status, "user");
  if (user == nullptr) return Refused("the token names nobody");
  absl::string_view name(StringAt(*user, "username").data(), StringAt(*user, "username").size());
  if (!absl::ConsumePrefix(&name, "system:serviceaccount:")) {
    return Refused("the token is not a service account's");
  }
  const std::vector<std::string> parts = absl::StrSplit(name, ':');
  TokenIdentity identity;
  identity.pod_name = ExtraAt(*user, "pod-name");
  identity.pod_uid = ExtraAt(*user, "pod-uid");
  if (parts.size() != 2 || identity.pod_name.empty() || identity.pod_uid.empty()) {
    return Refused("the token is not bound to a pod");
  }
  identity.name_space = parts[0];
  identity.service_account = parts[1];
  return identity;
}

}  // namespace

class TokenReviewer::Impl {
 public:
  Impl(Client& client, TokenReviewerSettings settings, prometheus::Registry& metrics)
      : client_(client),
        settings_(std::move(settings)),
        reviews_(prometheus::BuildCounter()
                     .Name("krypton_token_reviews_total")
                     .Help("Tokens of load reporters that were looked at.")
                     .Register(metrics)),
        valid_(reviews_.Add({{"result", "valid"}})),
        refused_(reviews_.Add({{"result", "refused"}})),
        failed_(reviews_.Add({{"result", "failed"}})),
        remembered_(reviews_.Add({{"result", "remembered"}})) {}

  void Start() {
    for (int i = 0; i < settings_.threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  void Review(const std::string& token, Done done);
  void Stop();

 private:
  struct Question {
    std::string token;
    Done done;
  };
  struct Memory {
    absl::StatusOr<TokenIdentity> answer;
    Clock::time_point until;
  };

  void Run();
  absl::StatusOr<TokenIdentity> Ask(const std::string& token);
  void Remember(const std::string& token, const absl::StatusOr<TokenIdentity>& answer);

  Client& client_;
  const TokenReviewerSettings settings_;
  prometheus::Family<prometheus::Counter>& reviews_;
  prometheus::Counter& valid_;
  prometheus::Counter& refused_;
  prometheus::Counter& failed_;
  prometheus::Counter& remembered_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Question> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Memory> memory_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

void TokenReviewer::Impl::Review(const std::string& token, Done done) {
  if (token.empty()) return done(Refused("no token was sent"));
  if (token.size() > kMaxToken) return done(Refused("the token is too long"));
  absl::StatusOr<TokenIdentity> answer = absl::UnavailableError("too many tokens wait");
  {
    const std::lock_guard lock(mutex_);
    const auto known = memory_.find(HashOf(token));
    if (stopping_) {
      answer = absl::UnavailableError("the manager is stopping");
    } else if (known != memory_.end() && Clock::now() < known->second.until) {
      answer = known->second.answer;
      remembered_.Increment();
    } else if (waiting_.size() < settings_.max_waiting) {
      waiting_.push_back({token, std::move(done)});
      changed_.notify_one();
      return;
    }
  }
  done(std::move(answer));
}

void TokenReviewer::Impl::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const Question question = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const absl::StatusOr<TokenIdentity> answer = Ask(question.token);
    Remember(question.token, answer);
    question.done(answer);
    lock.lock();
  }
}

absl::StatusOr<TokenIdentity> TokenReviewer::Impl::Ask(const std::string& token) {
  const json::object review = {
      {"apiVersion", "authentication.k8s.io/v1"},
      {"kind", "TokenReview"},
      {"spec", {{"token", token}, {"audiences", json::array{settings_.audience}}}}};
  const auto answer = client_.Create(kTokenReviews, "", review, {.field_manager = {}});
  if (!answer.ok()) {
    failed_.Increment();
    // Its own words could repeat what was sent.
    return absl::UnavailableError("the token could not be reviewed");
  }
  absl::StatusOr<TokenIdentity> identity = ReadReview(answer->get_object(), settings_.audience);
  (identity.ok() ? valid_ : refused_).Increment();
  return identity;
}

void TokenReviewer::Impl::Remember(const std::string& token,
                                   const absl::StatusOr<TokenIdentity>& answer) {
  if (absl::IsUnavailable(answer.status())) return;
  std::chrono::nanoseconds time = answer.ok() ? settings_.remember_good : settings_.remember_bad;
  if (answer.ok()) {
    const auto expiry = ExpiryOf(token);
    if (!expiry.has_value()) return;
    time = std::min<std::chrono::nanoseconds>(time, *expiry - Wall::now());
  }
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (memory_.size() >= settings_.max_remembered) {
    absl::erase_if(memory_, [&](const auto& entry) { return entry.second.until <= now; });
    if (memory_.size() >= settings_.max_remembered) memory_.erase(memory_.begin());
  }
  memory_.insert_or_assign(HashOf(token), Memory{answer, now + time});
}

void TokenReviewer::Impl::Stop() {
  std::deque<Question> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(waiting_);
    changed_.notify_all();
  }
  for (const Question& question : left) {
    question.done(absl::UnavailableError("the manager is stopping"));
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

TokenReviewer::TokenReviewer(Client& client, TokenReviewerSettings settings,
                             prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), metrics)) {}
TokenReviewer::~TokenReviewer() { Stop(); }

void TokenReviewer::Start() { impl_->Start(); }
void TokenReviewer::Review(const std::string& token, Done done) {
  impl_->Review(token, std::move(done));
}
void TokenReviewer::Stop() { impl_->Stop(); }

ClientSettings TokenReviewClientSettings() {
  ClientSettings settings;
  settings.qps = 100;
  settings.burst = 200;
  settings.max_attempts = 2;
  settings.request_timeout = std::chrono::seconds(5);
  return settings;
}

}  // namespace krypton::kube
