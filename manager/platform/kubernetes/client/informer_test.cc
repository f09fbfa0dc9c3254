#include "manager/platform/kubernetes/client/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <mutex>
#include <thread>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// What the informer keeps of an object.
struct Small {
  std::string version;
};

// An informer over a scripted server, and what its handlers heard.
class InformerTest : public testing::Test {
 protected:
  using Script = std::function<FakeReply(const FakeRequest&, int lists, int watches)>;

  void Serve(Script script) {
    server_ = std::make_unique<FakeApiServer>([this, script](const FakeRequest& request) {
      (request.is_watch() ? watches_ : lists_)++;
      return script(request, lists_, watches_);
    });
    ClientSettings settings;
    settings.qps = 10'000;
    settings.burst = 10'000;
    settings.max_attempts = 1;
    client_ = std::make_unique<Client>(server_->config(), settings, metrics_);
    ReflectorSettings reflector;
    reflector.gvr = {"", "v1", "pods"};
    reflector.min_backoff = std::chrono::milliseconds(2);
    reflector.max_backoff = std::chrono::milliseconds(10);
    informer_ = std::make_unique<Informer<Small>>(*client_, reflector, Reduce, handlers_, metrics_);
    informer_->Start();
  }
  void TearDown() override {
    if (informer_ != nullptr) informer_->Stop();
    informer_.reset();
    client_.reset();
    server_.reset();
  }

  static std::optional<Small> Reduce(const boost::json::object& object) {
    if (MetadataAt(object, "name") == "ignored") return std::nullopt;
    return Small{std::string(MetadataAt(object, "resourceVersion"))};
  }
  void Hear(std::string what) {
    const std::lock_guard lock(mutex_);
    heard_.push_back(std::move(what));
  }
  std::vector<std::string> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  bool HearsInTheEnd(size_t count) {
    return WaitFor([&] { return heard().size() >= count; });
  }
  std::vector<std::string> Copy() const {
    std::vector<std::string> copy;
    for (const auto& [name, small] : informer_->All()) copy.push_back(name.name + small->version);
    return copy;
  }

  prometheus::Registry metrics_;
  std::atomic<int> lists_ = 0;
  std::atomic<int> watches_ = 0;
  Informer<Small>::Handlers handlers_ = {
      .added = [this](const ObjectName& name,
                      const auto& now) { Hear("+" + name.name + now->version); },
      .updated =
          [this](const ObjectName& name, const auto& before, const auto& now) {
            Hear("~" + name.name + before->version + ">" + now->version);
          },
      .deleted = [this](const ObjectName& name,
                        const auto& before) { Hear("-" + name.name + before->version); },
      .synced = [this] { Hear("synced"); }};
  mutable std::mutex mutex_;
  std::vector<std::string> heard_;
  std::unique_ptr<FakeApiServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Informer<Small>> informer_;
};

FakeReply Held(std::vector<std::string> pieces) {
  return {.pieces = std::move(pieces), .end = FakeReply::End::kHold};
}

std::string VersionAsked(const FakeRequest& request) { return request.query.at("resourceVersion"); }

TEST_F(InformerTest, ListsThenWatchesFromThere) {
  Serve([](const FakeRequest& request, int, int) {
    if (!request.is_watch()) return ListReply(10, {ObjectText("a", 1), ObjectText("ignored", 2)});
    return Held({EventLine("ADDED", "b", 11), EventLine("MODIFIED", "a", 12),
                 EventLine("DELETED", "b", 13)});
  });
  ASSERT_TRUE(HearsInTheEnd(5));
  EXPECT_THAT(heard(), ElementsAre("+a1", "synced", "+b11", "~a1>12", "-b11"));
  EXPECT_THAT(Copy(), ElementsAre("a12"));
  EXPECT_TRUE(informer_->HasSynced());
  EXPECT_EQ(informer_->Find({"default", "a"})->version, "12");
  EXPECT_EQ(informer_->Find({"default", "b"}), nullptr);
  EXPECT_EQ(VersionAsked(server_->requests()[1]), "10");
  const int timeout = std::stoi(server_->requests()[1].query.at("timeoutSeconds"));
  EXPECT_GE(timeout, 300);
  EXPECT_LE(timeout, 600);
}

TEST_F(InformerTest, AnOrderlyEndGoesOnFromTheLastVersionOfBookmarksToo) {
  Serve([](const FakeRequest& request, int, int watches) {
    if (!request.is_watch()) return ListReply(10, {ObjectText("a", 1)});
    if (watches == 1) {
      return FakeReply{.pieces = {EventLine("ADDED", "b", 11), EventLine("BOOKMARK", "", 40)}};
    }
    return Held({EventLine("ADDED", "c", 41)});
  });
  ASSERT_TRUE(HearsInTheEnd(4));
  EXPECT_THAT(heard(), ElementsAre("+a1", "synced", "+b11", "+c41"));
  EXPECT_EQ(lists_, 1);
  EXPECT_EQ(VersionAsked(server_->requests()[2]), "40");
}

TEST_F(InformerTest, BookmarksAloneMoveTheVersion) {
  Serve([](const FakeRequest& request, int, int watches) {
    if (!request.is_watch()) return ListReply(10, {});
    if (watches == 1)
      return FakeReply{.pieces = {EventLine("BOOKMARK", "", 20), EventLine("BOOKMARK", "", 30)}};
    return Held({});
  });
  ASSERT_TRUE(WaitFor([&] { return watches_ >= 2; }));
  EXPECT_EQ(VersionAsked(server_->requests()[2]), "30");
  EXPECT_THAT(heard(), ElementsAre("synced"));
}

// What was deleted while nobody watched is reported after the fresh list.
void ExpectRelist(const std::vector<std::string>& heard) {
  EXPECT_THAT(heard, ElementsAre("+a1", "+b2", "synced", "~a1>20", "+c21", "-b2"));
}

FakeReply BeforeAndAfter(int lists) {
  if (lists == 1) return ListReply(10, {ObjectText("a", 1), ObjectText("b", 2)});
  return ListReply(30, {ObjectText("a", 20), ObjectText("c", 21)});
}

TEST_F(InformerTest, A410BringsAFreshListAndItsDeletes) {
  Serve([](const FakeRequest& request, int lists, int watches) {
    if (!request.is_watch()) return BeforeAndAfter(lists);
    return watches == 1 ? Refusal(410, "Expired") : Held({});
  });
  ASSERT_TRUE(HearsInTheEnd(6));
  ExpectRelist(heard());
}

TEST_F(InformerTest, SoDoesAn410InsideTheStream) {
  Serve([](const FakeRequest& request, int lists, int watches) {
    if (!request.is_watch()) return BeforeAndAfter(lists);
    if (watches > 1) return Held({});
    return FakeReply{
        .pieces = {R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
                   "\n"}};
  });
  ASSERT_TRUE(HearsInTheEnd(6));
  ExpectRelist(heard());
  EXPECT_EQ(informer_->state().lists, 2u);
}

TEST_F(InformerTest, AStreamThatIsCutWithinALineGoesOnWhereItWas) {
  Serve([](const FakeRequest& request, int, int watches) {
    if (!request.is_watch()) return ListReply(10, {});
    if (watches == 1) {
      return FakeReply{
          .pieces = {EventLine("ADDED", "a", 11), EventLine("ADDED", "b", 12).substr(0, 30)},
          .end = FakeReply::End::kCut};
    }
    return Held({EventLine("ADDED", "b", 12)});
  });
  ASSERT_TRUE(HearsInTheEnd(3));
  EXPECT_THAT(heard(), ElementsAre("synced", "+a11", "+b12"));
  EXPECT_EQ(VersionAsked(server_->requests()[2]), "11");
  EXPECT_EQ(lists_, 1);
}

TEST_F(InformerTest, ALineThatIsNoEventIsABrokenStream) {
  Serve([](const FakeRequest& request, int, int watches) {
    if (!request.is_watch()) return ListReply(10, {});
    if (watches == 1) return FakeReply{.pieces = {EventLine("ADDED", "a", 11), "<html>\n"}};
    return Held({EventLine("ADDED", "b", 12)});
  });
  ASSERT_TRUE(HearsInTheEnd(3));
  EXPECT_THAT(heard(), ElementsAre("synced", "+a11", "+b12"));
}

TEST_F(InformerTest, DuplicatesAndWhatComesOutOfOrderDoNoHarm) {
  Serve([](const FakeRequest& request, int, int) {
    if (!request.is_watch()) return ListReply(10, {ObjectText("a", 5)});
    return Held({EventLine("ADDED", "a", 5), EventLine("MODIFIED", "a", 11),
                 EventLine("MODIFIED", "a", 11), EventLine("DELETED", "never", 12),
                 EventLine("DELETED", "a", 13), EventLine("DELETED", "a", 13),
                 EventLine("MODIFIED", "new", 14), EventLine("STRANGE", "x", 15)});
  });
  ASSERT_TRUE(HearsInTheEnd(5));
  EXPECT_THAT(heard(), ElementsAre("+a5", "synced", "~a5>11", "-a11", "+new14"));
}

TEST_F(InformerTest, AListThatBreaksBetweenPagesChangesNothingAndComesAgain) {
  Serve([](const FakeRequest& request, int lists, int watches) {
    if (request.is_watch()) return watches == 1 ? Refusal(410, "Expired") : Held({});
    switch (lists) {
      case 1:
        return ListReply(10, {ObjectText("a", 1), ObjectText("b", 2)});
      case 2:
        return ListReply(20, {ObjectText("a", 11)}, "next");
      case 3:
        return Refusal(410, "Expired");
      default:
        return ListReply(30, {ObjectText("a", 11), ObjectText("b", 2)});
    }
  });
  ASSERT_TRUE(WaitFor([&] { return watches_ >= 2; }));
  EXPECT_THAT(heard(), ElementsAre("+a1", "+b2", "synced", "~a1>11"));
  EXPECT_EQ(lists_, 4);
}

TEST_F(InformerTest, ASilentWatchStaysUpAndEndsWhenAsked) {
  Serve([](const FakeRequest& request, int, int) {
    return request.is_watch() ? Held({}) : ListReply(10, {});
  });
  ASSERT_TRUE(WaitFor([&] { return watches_ == 1; }));
  const auto began = std::chrono::steady_clock::now();
  informer_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_EQ(watches_, 1);
}

TEST_F(InformerTest, AListThatHangsEndsWhenAsked) {
  Serve([](const FakeRequest&, int, int) { return Held({}); });
  ASSERT_TRUE(WaitFor([&] { return lists_ == 1; }));
  const auto began = std::chrono::steady_clock::now();
  informer_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_FALSE(informer_->HasSynced());
}

TEST_F(InformerTest, AServerThatIsGoneIsNotedAndComesBack) {
  // Shared: the server is asked until the fixture ends.
  const auto up = std::make_shared<std::atomic<bool>>(false);
  Serve([up](const FakeRequest& request, int, int) {
    if (!*up) return Refusal(503, "ServiceUnavailable", "starting");
    return request.is_watch() ? Held({}) : ListReply(10, {ObjectText("a", 1)});
  });
  ASSERT_TRUE(WaitFor([&] { return lists_ >= 3; }));
  EXPECT_FALSE(informer_->HasSynced());
  EXPECT_TRUE(informer_->state().cut_off_since.has_value());
  EXPECT_THAT(informer_->state().last_error, HasSubstr("starting"));
  *up = true;
  ASSERT_TRUE(WaitFor([&] { return informer_->HasSynced(); }));
  EXPECT_FALSE(informer_->state().cut_off_since.has_value());
  EXPECT_TRUE(informer_->state().connected);
}

TEST_F(InformerTest, AnObjectThatBecomesUninterestingIsGone) {
  handlers_.updated = nullptr;
  Serve([](const FakeRequest& request, int, int) {
    if (!request.is_watch()) return ListReply(10, {ObjectText("a", 1), ObjectText("b", 2)});
    return Held(
        {R"({"type":"MODIFIED","object":{"metadata":{"namespace":"default","name":"a","resourceVersion":"11"}}})"
         "\n",
         EventLine("DELETED", "b", 12)});
  });
  ASSERT_TRUE(HearsInTheEnd(4));
  EXPECT_THAT(heard(), ElementsAre("+a1", "+b2", "synced", "-b2"));
}

}  // namespace
}  // namespace krypton::kube
