#include "common/http/shard.h"

#include <utility>

namespace krypton::http {
namespace {

constexpr size_t kMaxFreeStates = 256;      // A worker; what a burst leaves behind is bounded.
constexpr size_t kMaxKeptBytes = 4 * 1024;  // A string that grew beyond is given back to the heap.

void ClearString(std::string& text) {
  if (text.capacity() > kMaxKeptBytes) {
    std::string().swap(text);
  } else {
    text.clear();
  }
}

void Reset(RequestState& state) {
  state.reader.reset();
  ClearString(state.head.bytes);
  ClearString(state.held);
  ClearString(state.extra_fields);
  state.head.method = state.head.target = state.head.path = state.head.query = state.head.host = {};
  state.head.fields.Clear();
  state.head.framing = Framing::kNone;
  state.head.keep_alive = true;
  state.head.version_minor = 1;
  state.head.expect_continue = state.head.wants_upgrade = false;
  state.body.Start(Framing::kNone, 0, {});
  state.pace = {};
  state.body_failed = state.continue_sent = false;
  state.held_all = true;
  state.status = 0;
  state.head_sent = state.finished = state.chunked_answer = state.no_answer_body = false;
  state.bytes_sent = 0;
  state.cancelled = Cancelled::kNo;
  state.on_cancel = nullptr;
  state.listener = nullptr;
  state.started = {};
  state.context.reset();
}

}  // namespace

void ServerShard::Adopt(int fd, std::string peer) {
  worker.Spawn(ConnectionCore::Run(std::make_unique<ConnectionCore>(*this, fd, std::move(peer))));
}

void ServerShard::Add(ConnectionCore& connection) {
  connection.next = first_;
  connection.link = &first_;
  if (first_) first_->link = &connection.next;
  first_ = &connection;
}

void ServerShard::Remove(ConnectionCore& connection) {
  *connection.link = connection.next;
  if (connection.next) connection.next->link = connection.link;
  connections.fetch_sub(1, std::memory_order_release);
}

void ServerShard::ShutAll(Cancelled reason) {
  for (ConnectionCore* connection = first_; connection;) {
    ConnectionCore* const next = connection->next;
    connection->Shut(reason);
    connection = next;
  }
}

std::unique_ptr<RequestState> ServerShard::TakeState(ConnectionCore& core) {
  std::unique_ptr<RequestState> state;
  if (free_states_.empty()) {
    state = std::make_unique<RequestState>();
  } else {
    state = std::move(free_states_.back());
    free_states_.pop_back();
  }
  state->exchange.emplace(core);
  return state;
}

void ServerShard::GiveState(std::unique_ptr<RequestState> state) {
  if (free_states_.size() >= kMaxFreeStates) return;
  Reset(*state);
  free_states_.push_back(std::move(state));
}

}  // namespace krypton::http
