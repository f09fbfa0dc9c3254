#include "manager/registry/registry_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/rpc/server.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using resource::AgentKey;

v1::RegistryEntry Entry(const std::string& name, int generation = 1) {
  v1::RegistryEntry entry;
  *entry.mutable_key() = AgentKey("default", name);
  *entry.mutable_agent() = MakeAgent(name, {.generation = generation});
  return entry;
}

class RegistryServiceTest : public testing::Test {
 protected:
  explicit RegistryServiceTest(const StoreSettings& settings = {}) : store_(settings) {}

  void SetUp() override {
    store_.SetLeader("127.0.0.1:7070", 3);
    ASSERT_TRUE(server_.Start().ok());
    stub_ = v1::RegistryService::NewStub(server_.InProcessChannel());
  }
  void TearDown() override {
    service_.Shutdown();
    server_.Shutdown(std::chrono::seconds(5));
  }

  RegistryStore store_;
  prometheus::Registry metrics_;
  RegistryServiceImpl service_{{.max_watchers = 3, .max_keys = 4}, store_, metrics_};
  rpc::Server server_{{}, {&service_}};
  std::unique_ptr<v1::RegistryService::Stub> stub_;
};

// One Watch stream, read by the test's thread.
struct Stream {
  Stream(v1::RegistryService::Stub& stub, const v1::WatchRequest& request) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    reader = stub.Watch(&context, request);
  }
  ~Stream() {
    context.TryCancel();
    v1::WatchResponse rest;
    while (reader->Read(&rest)) {
    }
    (void)reader->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
};

TEST_F(RegistryServiceTest, NobodyIsServedBeforeTheRegistryIsWhole) {
  store_.Put(Entry("a"));
  Stream stream(*stub_, {});
  store_.Put(Entry("b"));
  store_.SetSynced();
  v1::WatchResponse response;
  ASSERT_TRUE(stream.reader->Read(&response));
  EXPECT_TRUE(response.full());
  EXPECT_TRUE(response.last_chunk());
  EXPECT_EQ(response.entries_size(), 2);
  EXPECT_EQ(response.term(), 3u);
  EXPECT_EQ(response.leader_address(), "127.0.0.1:7070");
}

TEST_F(RegistryServiceTest, AChangeFollowsAsADelta) {
  store_.SetSynced();
  Stream stream(*stub_, {});
  v1::WatchResponse response;
  ASSERT_TRUE(stream.reader->Read(&response));
  store_.Put(Entry("a"));
  ASSERT_TRUE(stream.reader->Read(&response));
  EXPECT_FALSE(response.full());
  EXPECT_EQ(response.entries(0).key().name(), "a");
  store_.Remove(AgentKey("default", "a"));
  ASSERT_TRUE(stream.reader->Read(&response));
  EXPECT_EQ(response.removed(0).name(), "a");
}

TEST_F(RegistryServiceTest, ANewLeaderIsToldToOpenWatches) {
  store_.SetSynced();
  Stream stream(*stub_, {});
  v1::WatchResponse response;
  ASSERT_TRUE(stream.reader->Read(&response));
  store_.SetLeader("127.0.0.1:7071", 4);
  ASSERT_TRUE(stream.reader->Read(&response));
  EXPECT_EQ(response.leader_address(), "127.0.0.1:7071");
  EXPECT_EQ(response.term(), 4u);
}

class ForgetfulRegistryServiceTest : public RegistryServiceTest {
 protected:
  ForgetfulRegistryServiceTest() : RegistryServiceTest({.max_tombstones = 2}) {}
};

TEST_F(ForgetfulRegistryServiceTest, AWatchThatExpiresEndsAndComesBackWithAFullSnapshot) {
  store_.Put(Entry("stays"));
  for (int i = 0; i < 4; ++i) {
    v1::RegistryEntry entry = Entry(absl::StrCat("agent-", i));
    // More than gRPC takes ahead of the reader.
    entry.mutable_agent()->mutable_spec()->set_runtime(std::string(900'000, 'x'));
    store_.Put(entry);
  }
  store_.SetSynced();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto slow = stub_->Watch(&context, {});
  v1::WatchResponse response;
  ASSERT_TRUE(slow->Read(&response));
  for (int i = 0; i < 4; ++i) store_.Remove(AgentKey("default", absl::StrCat("agent-", i)));
  while (slow->Read(&response)) EXPECT_FALSE(response.last_chunk());
  EXPECT_EQ(slow->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);

  Stream again(*stub_, {});
  ASSERT_TRUE(again.reader->Read(&response));
  EXPECT_TRUE(response.full());
  EXPECT_TRUE(response.last_chunk());
  ASSERT_EQ(response.entries_size(), 1);
  EXPECT_EQ(response.entries(0).key().name(), "stays");
}

TEST_F(RegistryServiceTest, ResumesByEpochAndVersion) {
  store_.SetSynced();
  for (int i = 0; i < 10; ++i) store_.Put(Entry(absl::StrCat("agent-", i)));
  v1::WatchRequest request;
  request.set_epoch(store_.epoch());
  request.set_version(store_.version());
  store_.Put(Entry("agent-3", 2));
  Stream stream(*stub_, request);
  v1::WatchResponse response;
  ASSERT_TRUE(stream.reader->Read(&response));
  EXPECT_FALSE(response.full());
  ASSERT_EQ(response.entries_size(), 1);
  EXPECT_EQ(response.entries(0).key().name(), "agent-3");
}

TEST_F(RegistryServiceTest, TooManyWatchersAndTooManyKeysAreRefused) {
  store_.SetSynced();
  v1::WatchResponse response;
  v1::WatchRequest many;
  for (int i = 0; i < 5; ++i) *many.add_keys() = AgentKey("default", absl::StrCat("a", i));
  grpc::ClientContext context;
  auto reader = stub_->Watch(&context, many);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(std::make_unique<Stream>(*stub_, v1::WatchRequest()));
    ASSERT_TRUE(streams.back()->reader->Read(&response));
  }
  grpc::ClientContext one_more;
  auto refused = stub_->Watch(&one_more, {});
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(RegistryServiceTest, AWatcherThatDoesNotReadHoldsNobodyUp) {
  store_.SetSynced();
  Stream slow(*stub_, {});
  Stream quick(*stub_, {});
  v1::WatchResponse response;
  ASSERT_TRUE(quick.reader->Read(&response));
  const std::string padding(100'000, 'x');
  for (int generation = 1; generation <= 300; ++generation) {
    v1::RegistryEntry entry = Entry("a", generation);
    entry.mutable_agent()->mutable_spec()->set_runtime(padding);
    store_.Put(entry);
  }
  int64_t last = 0;
  while (last < 300 && quick.reader->Read(&response)) {
    for (const auto& entry : response.entries()) last = entry.agent().metadata().generation();
  }
  EXPECT_EQ(last, 300);
  // The slow one then skips to the end.
  int messages = 0;
  last = 0;
  while (last < 300 && slow.reader->Read(&response)) {
    ++messages;
    for (const auto& entry : response.entries()) last = entry.agent().metadata().generation();
  }
  EXPECT_EQ(last, 300);
  EXPECT_LT(messages, 300);
}

TEST_F(RegistryServiceTest, ManyChangesByManyThreadsEndInTheSameRegistryForAll) {
  store_.SetSynced();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([this, writer] {
      for (int i = 1; i <= 200; ++i) {
        store_.Put(Entry(absl::StrCat("agent-", writer, "-", i % 7), i));
        if (i % 5 == 0) {
          store_.Remove(AgentKey("default", absl::StrCat("agent-", writer, "-", i % 7)));
        }
      }
      store_.Put(Entry(absl::StrCat("done-", writer)));
    });
  }
  std::vector<std::thread> readers;
  std::atomic<int> complete{0};
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([this, &complete] {
      Stream stream(*stub_, {});
      v1::WatchResponse response;
      std::set<std::string> done;
      while (done.size() < 4 && stream.reader->Read(&response)) {
        for (const auto& entry : response.entries()) {
          if (entry.key().name().starts_with("done-")) done.insert(entry.key().name());
        }
      }
      if (done.size() == 4) ++complete;
    });
  }
  for (std::thread& thread : writers) thread.join();
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(complete, 3);
  service_.UpdateMetrics();
}

TEST_F(RegistryServiceTest, ShutdownEndsTheStreams) {
  store_.SetSynced();
  Stream stream(*stub_, {});
  v1::WatchResponse response;
  ASSERT_TRUE(stream.reader->Read(&response));
  service_.Shutdown();
  EXPECT_FALSE(stream.reader->Read(&response));
}

TEST_F(RegistryServiceTest, GetRegistryPages) {
  for (int i = 0; i < 150; ++i) store_.Put(Entry(absl::StrFormat("agent-%03d", i)));
  v1::GetRegistryRequest request;
  v1::GetRegistryResponse response;
  const auto get = [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    response.Clear();
    return stub_->GetRegistry(&context, request, &response);
  };
  ASSERT_TRUE(get().ok());
  EXPECT_EQ(response.entries_size(), 20);
  EXPECT_EQ(response.total(), 150);
  request.set_page_size(1000);
  request.set_page(2);
  ASSERT_TRUE(get().ok());
  EXPECT_EQ(response.page_size(), 100);
  EXPECT_EQ(response.entries_size(), 50);
  EXPECT_EQ(response.entries(0).key().name(), "agent-100");
  request.set_page(-1);
  EXPECT_EQ(get().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace krypton::manager
