#include "common/registry/client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "common/registry/snapshot.h"
#include "common/rpc/channel.h"
#include "common/testing/wait_for.h"
#include "krypton/v1/registry.grpc.pb.h"

namespace krypton::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::chrono::seconds kPatience(20);

v1::ResourceKey AgentKey(const std::string& name) {
  v1::ResourceKey key;
  key.set_kind(v1::RESOURCE_KIND_AGENT);
  key.set_namespace_("default");
  key.set_name(name);
  return key;
}

// What the manager sends, in one line of a test.
struct Message {
  uint64_t version = 0;
  bool full = false;
  bool last_chunk = true;
  std::vector<std::string> entries = {};
  std::vector<std::string> removed = {};
  std::string epoch = "e1";

  v1::WatchResponse Proto() const {
    v1::WatchResponse response;
    response.set_epoch(epoch);
    response.set_version(version);
    response.set_full(full);
    response.set_last_chunk(last_chunk);
    for (const auto& name : entries) {
      auto* entry = response.add_entries();
      *entry->mutable_key() = AgentKey(name);
      entry->set_version(version);
    }
    for (const auto& name : removed) *response.add_removed() = AgentKey(name);
    return response;
  }
};

std::vector<std::string> Names(const std::vector<EntryPtr>& entries) {
  std::vector<std::string> names;
  for (const EntryPtr& entry : entries) names.push_back(entry->key().name());
  return names;
}

std::vector<std::string> Names(const std::vector<v1::ResourceKey>& keys) {
  std::vector<std::string> names;
  for (const v1::ResourceKey& key : keys) names.push_back(key.name());
  return names;
}

// A RegistryService that the test drives: one stream at a time is looked at.
class ScriptedRegistry : public v1::RegistryService::CallbackService {
 public:
  class Stream : public grpc::ServerWriteReactor<v1::WatchResponse> {
   public:
    explicit Stream(const v1::WatchRequest& request) : request_(request) {}

    const v1::WatchRequest& request() const { return request_; }
    void Send(const Message& message) { Send(message.Proto()); }
    void Send(v1::WatchResponse response) {
      std::unique_lock lock(mutex_);
      queue_.push_back(std::move(response));
      if (queue_.size() == 1) StartWrite(&queue_.front());
    }
    void End(grpc::StatusCode code) { Finish(grpc::Status(code, "as scripted")); }
    void AwaitWritten() {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return queue_.empty(); });
    }

    void OnWriteDone(bool /*ok*/) override {
      std::unique_lock lock(mutex_);
      queue_.pop_front();
      changed_.notify_all();
      if (!queue_.empty()) StartWrite(&queue_.front());
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

   private:
    const v1::WatchRequest request_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<v1::WatchResponse> queue_;
  };

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest* request) override {
    auto* stream = new Stream(*request);
    std::unique_lock lock(mutex_);
    streams_.push_back(stream);
    changed_.notify_all();
    return stream;
  }

  Stream* AwaitStream() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !streams_.empty(); })) return nullptr;
    Stream* stream = streams_.front();
    streams_.pop_front();
    return stream;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Stream*> streams_;
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    server_ = StartServer();
    client_ = std::make_unique<Client>(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                            grpc::InsecureChannelCredentials()),
        Settings{.client = "test", .keys = {}, .max_backoff = std::chrono::milliseconds(100)},
        [this](const Change& change) {
          std::unique_lock lock(mutex_);
          changes_.push_back(change);
          changed_.notify_all();
        });
    client_->Start();
  }

  std::unique_ptr<grpc::Server> StartServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&registry_);
    return builder.BuildAndStart();
  }

  Change AwaitChange() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !changes_.empty(); })) {
      ADD_FAILURE() << "no change came; " << client_->state().last_error;
      return {};
    }
    Change change = changes_.front();
    changes_.pop_front();
    return change;
  }

  int port_ = 0;
  ScriptedRegistry registry_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Change> changes_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, AnswersNothingBeforeTheFirstWholeSnapshot) {
  auto* stream = registry_.AwaitStream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request().client(), "test");
  EXPECT_EQ(stream->request().epoch(), "");
  stream->Send({.version = 7, .full = true, .last_chunk = false, .entries = {"a"}});
  stream->AwaitWritten();
  EXPECT_FALSE(client_->Synced());
  EXPECT_EQ(client_->Find(AgentKey("a")), nullptr);

  stream->Send({.version = 7, .full = true, .entries = {"b"}});
  const Change change = AwaitChange();
  EXPECT_TRUE(change.full);
  EXPECT_THAT(Names(change.entries), UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(client_->WaitSynced(std::chrono::seconds(20)));
  EXPECT_NE(client_->Find(AgentKey("a")), nullptr);
  EXPECT_EQ(client_->state().version, 7u);
}

TEST_F(ClientTest, AppliesDeltas) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 1, .full = true, .entries = {"a", "b"}});
  stream->Send({.version = 2, .entries = {"c"}, .removed = {"a"}});
  AwaitChange();
  const Change change = AwaitChange();
  EXPECT_FALSE(change.full);
  EXPECT_THAT(Names(change.entries), ElementsAre("c"));
  EXPECT_THAT(Names(change.removed), ElementsAre("a"));
  EXPECT_THAT(Names(client_->Entries()), UnorderedElementsAre("b", "c"));
}

TEST_F(ClientTest, ResumesFromWhatItHasSeenWhole) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 4, .full = true, .entries = {"a"}});
  AwaitChange();
  stream->Send({.version = 5, .last_chunk = false, .entries = {"half"}});
  stream->AwaitWritten();
  stream->End(grpc::StatusCode::UNAVAILABLE);

  stream = registry_.AwaitStream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request().epoch(), "e1");
  EXPECT_EQ(stream->request().version(), 4u);
  stream->Send({.version = 6, .entries = {"b"}});
  EXPECT_THAT(Names(AwaitChange().entries), ElementsAre("b"));
}

// gRPC tells of it as of the end of the stream, which the manager knows nothing of.
TEST_F(ClientTest, AfterAMessageThatCannotBeReadItConnectsAnew) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 4, .full = true, .entries = {"a"}});
  AwaitChange();
  v1::WatchResponse broken = Message{.version = 5}.Proto();
  broken.mutable_problems()->add_items()->set_file("\xff");  // Not UTF-8.
  stream->Send(std::move(broken));

  stream = registry_.AwaitStream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request().version(), 4u);
  stream->Send({.version = 6, .entries = {"b"}});
  EXPECT_THAT(Names(AwaitChange().entries), ElementsAre("b"));
}

TEST_F(ClientTest, ANewEpochsSnapshotRemovesWhatItDoesNotName) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 9, .full = true, .entries = {"old", "both"}});
  AwaitChange();
  stream->End(grpc::StatusCode::UNAVAILABLE);
  stream = registry_.AwaitStream();
  stream->Send({.version = 1, .full = true, .entries = {"both", "new"}, .epoch = "e2"});
  const Change change = AwaitChange();
  EXPECT_THAT(Names(change.removed), ElementsAre("old"));
  EXPECT_THAT(Names(change.entries), UnorderedElementsAre("both", "new"));
  EXPECT_EQ(client_->state().epoch, "e2");
  EXPECT_EQ(client_->state().version, 1u);
}

TEST_F(ClientTest, KeepsTheCopyWhileTheManagerIsGoneAndComesBack) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 3, .full = true, .entries = {"a"}});
  AwaitChange();
  ASSERT_TRUE(WaitFor([this] { return client_->state().connected; }));
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
  ASSERT_TRUE(WaitFor([this] { return client_->state().failures >= 2; }));
  EXPECT_FALSE(client_->state().connected);
  EXPECT_TRUE(client_->state().stale_since.has_value());
  EXPECT_TRUE(client_->Synced());
  EXPECT_NE(client_->Find(AgentKey("a")), nullptr);

  server_ = StartServer();
  stream = registry_.AwaitStream();
  ASSERT_NE(stream, nullptr);
  stream->Send({.version = 4, .removed = {"a"}});
  AwaitChange();
  EXPECT_THAT(client_->Entries(), IsEmpty());
}

TEST_F(ClientTest, NothingIsDeliveredAfterStop) {
  auto* stream = registry_.AwaitStream();
  stream->Send({.version = 1, .full = true});
  AwaitChange();
  client_->Stop();
  client_->Stop();
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changes_.empty());
}

TEST(SnapshotTest, ProblemsAndLeaderComeFromAnyChunk) {
  Snapshot snapshot;
  v1::WatchResponse first = Message{.version = 1, .full = true, .last_chunk = false}.Proto();
  first.mutable_problems()->add_items()->set_reason("no image");
  first.set_leader_address("10.0.0.1:7070");
  first.set_term(3);
  EXPECT_FALSE(snapshot.Apply(first).has_value());
  const auto change = snapshot.Apply(Message{.version = 1, .full = true}.Proto());
  ASSERT_TRUE(change.has_value());
  ASSERT_NE(change->problems, nullptr);
  EXPECT_EQ(change->problems->items(0).reason(), "no image");
  EXPECT_EQ(change->leader_address, "10.0.0.1:7070");
  EXPECT_EQ(change->term, 3u);
}

TEST(SnapshotTest, TheLastWordOnAKeyCounts) {
  Snapshot snapshot;
  snapshot.Apply(Message{.version = 1, .full = true, .entries = {"a", "b"}}.Proto());
  snapshot.Apply(Message{.version = 2, .last_chunk = false, .entries = {"a"}}.Proto());
  const auto change = snapshot.Apply(Message{.version = 2, .removed = {"a"}}.Proto());
  ASSERT_TRUE(change.has_value());
  EXPECT_THAT(change->entries, IsEmpty());
  EXPECT_THAT(Names(change->removed), ElementsAre("a"));
}

// A registry that never pauses.
class Torrent : public v1::RegistryService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override {
    return new Stream;
  }

 private:
  class Stream : public grpc::ServerWriteReactor<v1::WatchResponse> {
   public:
    Stream() { OnWriteDone(true); }
    void OnWriteDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      message_ = Message{.version = ++version_, .full = version_ == 1}.Proto();
      StartWrite(&message_);
    }
    void OnDone() override { delete this; }

   private:
    uint64_t version_ = 0;
    v1::WatchResponse message_;
  };
};

TEST(ClientStopTest, AStopAmongMessagesEnds) {
  Torrent registry;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&registry);
  const auto server = builder.BuildAndStart();
  for (int i = 0; i < 300; ++i) {
    Client client(*rpc::Connect("127.0.0.1:" + std::to_string(port), {}), Settings{},
                  [](const Change&) {});
    client.Start();
    ASSERT_TRUE(client.WaitSynced(kPatience));
    client.Stop();
  }
  server->Shutdown();
}

}  // namespace
}  // namespace krypton::registry
