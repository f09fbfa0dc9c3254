#include "common/http/local_call.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/http/buffer.h"
#include "common/http/chunked.h"
#include "common/http/event.h"
#include "common/http/parser.h"
#include "common/http/response.h"
#include "common/http/server.h"
#include "common/http/socket.h"
#include "common/http/workers.h"

namespace krypton::http {
namespace {

// The server reads when it has somewhere to put it: a request may wait in a queue for long, and
// whoever cannot wait any more cancels.
constexpr milliseconds kWritePatience = std::chrono::hours(24);

std::string Serialize(const LocalRequest& request) {
  std::string bytes = request.method;
  bytes.append(" ").append(request.target).append(" HTTP/1.1\r\n");
  AppendField(bytes, "Host", request.host);
  for (const auto& [name, value] : request.fields) AppendField(bytes, name, value);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    AppendField(bytes, "Content-Length", std::to_string(request.body.size()));
  }
  AppendField(bytes, "TE", "trailers");
  AppendField(bytes, "Connection", "close, TE");
  bytes.append("\r\n");
  return bytes;
}

}  // namespace

// All of it belongs to the worker once Run has begun.
struct LocalCall::Impl {
  Impl(Server& its_server, Worker& its_worker, LocalRequest its_request, Callbacks its_callbacks)
      : server(its_server),
        worker(its_worker),
        request(std::move(its_request)),
        callbacks(std::move(its_callbacks)) {}

  static Task<void> Run(std::shared_ptr<LocalCall> call);
  static Task<void> Write(std::shared_ptr<LocalCall> call);
  absl::Status Connect();
  // What belongs to the worker ends on it; the call itself may be destroyed by any thread.
  void CloseWhenOver();
  Task<absl::Status> Exchange();
  Task<absl::Status> ReadHead();
  Task<absl::Status> ReadBody();
  // More input; kOutOfRange: the server has ended the connection.
  Task<absl::Status> Fill();
  // Until Resume.
  Task<absl::Status> AwaitResume();

  Server& server;
  Worker& worker;
  LocalRequest request;
  Callbacks callbacks;
  Socket socket;
  Buffer in;
  ResponseHead head;
  BodyDecoder body;
  std::unique_ptr<Event> resumed;
  bool cancelled = false;
  bool over = false;
  bool writing = false;
};

Task<void> LocalCall::Impl::Run(std::shared_ptr<LocalCall> call) {
  Impl& self = *call->impl_;
  self.resumed = std::make_unique<Event>(self.worker);
  absl::Status status = self.Connect();
  if (status.ok()) {
    self.writing = true;
    self.worker.Spawn(Write(call));
    status = co_await self.Exchange();
    self.socket.Interrupt();  // Whoever still writes: nobody reads it.
  }
  if (self.cancelled) status = absl::CancelledError("cancelled");
  self.over = true;
  self.in.Release();
  self.resumed.reset();
  self.CloseWhenOver();
  self.callbacks.on_end(status, self.body.trailers());
  self.callbacks = {};
}

void LocalCall::Impl::CloseWhenOver() {
  if (over && !writing) socket.Close();
}

absl::Status LocalCall::Impl::Connect() {
  if (cancelled) return absl::CancelledError("cancelled");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::UnavailableError(std::string("socketpair: ") + std::strerror(errno));
  }
  socket = Socket(worker, ends[0]);
  server.Adopt(worker, ends[1], request.peer);
  return absl::OkStatus();
}

Task<void> LocalCall::Impl::Write(std::shared_ptr<LocalCall> call) {
  Impl& self = *call->impl_;
  const std::string head = Serialize(self.request);
  IoVecs vecs;
  vecs.Add(head);
  vecs.Add(self.request.body);
  co_await self.socket.WriteRest(vecs, kWritePatience);
  self.writing = false;
  self.CloseWhenOver();
}

Task<absl::Status> LocalCall::Impl::Exchange() {
  absl::Status status = co_await ReadHead();
  if (!status.ok()) co_return status;
  callbacks.on_head(head);
  status = co_await AwaitResume();
  if (status.ok()) status = co_await ReadBody();
  co_return status;
}

Task<absl::Status> LocalCall::Impl::ReadHead() {
  const HeadLimits limits;
  do {
    HeadReader reader(head.bytes, limits, /*request=*/false);
    for (bool complete = false; !complete;) {
      if (in.empty()) {
        const absl::Status filled = co_await Fill();
        if (absl::IsOutOfRange(filled)) co_return absl::UnavailableError("no answer");
        if (!filled.ok()) co_return filled;
      }
      const HeadReader::Step step = reader.Feed(in.data());
      in.Consume(step.consumed);
      if (step.error) co_return absl::UnavailableError("the answer is malformed");
      complete = step.complete;
    }
    if (!ParseResponse(head, request.method, limits)) {
      co_return absl::UnavailableError("the answer is malformed");
    }
  } while (head.status < 200);
  co_return absl::OkStatus();
}

Task<absl::Status> LocalCall::Impl::ReadBody() {
  body.Start(head.framing, head.content_length, {});
  while (body.state() == BodyDecoder::State::kMore) {
    if (in.empty()) {
      const absl::Status filled = co_await Fill();
      if (absl::IsOutOfRange(filled)) {
        body.OnEof();
        break;
      }
      if (!filled.ok()) co_return filled;
    }
    const BodyDecoder::Step step = body.Next(in.data());
    if (!step.piece.empty()) {
      callbacks.on_data(step.piece);
      const absl::Status status = co_await AwaitResume();
      if (!status.ok()) co_return status;
    }
    in.Consume(step.consumed);
  }
  if (!body.done()) co_return absl::UnavailableError("the answer is incomplete");
  co_return absl::OkStatus();
}

Task<absl::Status> LocalCall::Impl::Fill() {
  in.ReleaseIfEmpty();
  while (in.empty()) {
    const Ready ready = co_await socket.Readable(kNever);
    if (ready == Ready::kInterrupted) co_return absl::CancelledError("cancelled");
    const ReadEnd end = socket.Read(in);
    if (end == ReadEnd::kEof) co_return absl::OutOfRangeError("the connection ended");
    if (end == ReadEnd::kError) co_return absl::UnavailableError("the connection broke");
  }
  co_return absl::OkStatus();
}

Task<absl::Status> LocalCall::Impl::AwaitResume() {
  co_await resumed->Wait();
  if (cancelled) co_return absl::CancelledError("cancelled");
  co_return absl::OkStatus();
}

LocalCall::LocalCall(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalCall::~LocalCall() = default;

std::shared_ptr<LocalCall> LocalCall::Prepare(Server& server, Worker& worker, LocalRequest request,
                                              Callbacks callbacks) {
  return std::shared_ptr<LocalCall>(new LocalCall(
      std::make_unique<Impl>(server, worker, std::move(request), std::move(callbacks))));
}

void LocalCall::Start() {
  impl_->worker.Post([call = shared_from_this()] { call->impl_->worker.Spawn(Impl::Run(call)); });
}

void LocalCall::Resume() {
  impl_->worker.Post([call = shared_from_this()] {
    if (!call->impl_->over) call->impl_->resumed->Set();
  });
}

void LocalCall::Cancel() {
  impl_->worker.Post([call = shared_from_this()] {
    Impl& self = *call->impl_;
    if (self.over) return;
    self.cancelled = true;
    if (self.socket.is_open()) self.socket.Interrupt();
    if (self.resumed != nullptr) self.resumed->Set();
  });
}

}  // namespace krypton::http
