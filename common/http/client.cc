#include "common/http/client.h"

#include <algorithm>
#include <utility>

#include "common/http/address.h"
#include "common/http/chunked.h"
#include "common/http/parser.h"
#include "common/http/response.h"
#include "common/http/upstream.h"

namespace krypton::http {

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view address) {
  absl::StatusOr<std::string> bytes = ToSockaddr(address);
  if (!bytes.ok()) return bytes.status();
  Endpoint endpoint;
  endpoint.address_ = std::string(address);
  endpoint.sockaddr_ = std::move(*bytes);
  return endpoint;
}

Client::Client(Workers& workers, ClientSettings settings) : workers_(workers), settings_(settings) {
  for (int i = 0; i < workers.size(); ++i) {
    pools_.push_back(std::make_unique<Pool>(workers[i], settings_));
  }
}

Client::~Client() { Close(); }

void Client::Close() {
  if (!workers_.running()) return;
  workers_.ForEach(
      [this](Worker& worker) { pools_[static_cast<size_t>(worker.index())]->CloseAll(); });
}

const ClientSettings& Client::settings() const { return settings_; }

Client::Pool& Client::pool(Worker& worker) { return *pools_[static_cast<size_t>(worker.index())]; }

void Client::Forget(const Endpoint& endpoint) {
  for (int i = 0; i < workers_.size(); ++i) {
    workers_[i].Post([pool = pools_[static_cast<size_t>(i)].get(), address = endpoint.address()] {
      pool->Forget(address);
    });
  }
}

Task<absl::Status> Client::Probe(Endpoint endpoint, milliseconds timeout) {
  Pool& mine = pool(*Worker::Current());
  const TimePoint deadline = mine.worker().Now() + timeout;
  auto connection = co_await ConnectTo(mine, endpoint, deadline);
  if (connection.ok()) mine.Give(std::move(*connection));
  co_return connection.status();
}

namespace {

std::string BuildRequest(const Client::Request& request) {
  std::string out = request.method;
  out.append(" ").append(request.target).append(" HTTP/1.1\r\n");
  AppendField(out, "Host", request.host);
  for (const Field& field : request.fields) AppendField(out, field.name, field.value);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    AppendField(out, "Content-Length", std::to_string(request.body.size()));
  }
  out.append("\r\n").append(request.body);
  return out;
}

// Reads more, or says why there is nothing: kDeadlineExceeded, kUnavailable; kOutOfRange at the
// end.
Task<absl::Status> Fill(UpstreamConnection& connection, TimePoint deadline) {
  connection.in.ReleaseIfEmpty();
  while (connection.in.empty()) {
    const Ready ready = co_await connection.socket.Readable(deadline);
    if (ready == Ready::kTimedOut) co_return absl::DeadlineExceededError("no answer in time");
    if (ready == Ready::kInterrupted) co_return absl::CancelledError("cancelled");
    const ReadEnd end = connection.socket.Read(connection.in);
    if (end == ReadEnd::kEof) co_return absl::OutOfRangeError("the connection ended");
    if (end == ReadEnd::kError) co_return absl::UnavailableError("the connection broke");
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ReadHead(UpstreamConnection& connection, std::string method, HeadLimits limits,
                            ResponseHead& head, TimePoint deadline) {
  do {
    HeadReader reader(head.bytes, limits, false);
    for (bool complete = false; !complete;) {
      const absl::Status filled = co_await Fill(connection, deadline);
      if (absl::IsOutOfRange(filled)) co_return absl::UnavailableError("no answer");
      if (!filled.ok()) co_return filled;
      const HeadReader::Step step = reader.Feed(connection.in.data());
      connection.in.Consume(step.consumed);
      if (step.error) co_return absl::UnavailableError("the answer is malformed");
      complete = step.complete;
    }
    if (!ParseResponse(head, method, limits)) {
      co_return absl::UnavailableError("the answer is malformed");
    }
  } while (head.status < 200);
  co_return absl::OkStatus();
}

Task<absl::Status> ReadAnswerBody(UpstreamConnection& connection, const ResponseHead& head,
                                  size_t max_bytes, std::string& body, TimePoint deadline) {
  BodyDecoder decoder;
  BodyLimits limits;
  limits.max_body_bytes = max_bytes;
  decoder.Start(head.framing, head.content_length, limits);
  while (decoder.state() == BodyDecoder::State::kMore) {
    const BodyDecoder::Step step = decoder.Next(connection.in.data());
    connection.in.Consume(step.consumed);
    body.append(step.piece);
    if (decoder.state() != BodyDecoder::State::kMore || !connection.in.empty()) continue;
    const absl::Status filled = co_await Fill(connection, deadline);
    if (absl::IsOutOfRange(filled)) {
      decoder.OnEof();
    } else if (!filled.ok()) {
      co_return filled;
    }
  }
  if (decoder.state() == BodyDecoder::State::kTooLarge) {
    co_return absl::ResourceExhaustedError("the answer is too large");
  }
  if (!decoder.done()) co_return absl::UnavailableError("the answer is incomplete");
  co_return absl::OkStatus();
}

}  // namespace

Task<absl::StatusOr<Client::Response>> Client::Call(Endpoint endpoint, Request request,
                                                    TimePoint deadline) {
  Pool& mine = pool(*Worker::Current());
  std::unique_ptr<UpstreamConnection> connection = mine.Take(endpoint, true);
  if (!connection) {
    auto connected = co_await ConnectTo(mine, endpoint, deadline);
    if (!connected.ok()) co_return connected.status();
    connection = std::move(*connected);
  }
  const std::string bytes = BuildRequest(request);
  IoVecs vecs;
  vecs.Add(bytes);
  const milliseconds left = std::chrono::duration_cast<milliseconds>(
      std::min(deadline, mine.worker().Now() + std::chrono::hours(24)) - mine.worker().Now());
  const WriteEnd written = co_await connection->socket.WriteRest(vecs, left);
  if (written != WriteEnd::kDone) co_return absl::UnavailableError("the connection broke");
  Response response;
  const HeadLimits limits{settings_.max_head_bytes, settings_.max_head_bytes, settings_.max_fields};
  const absl::Status read =
      co_await ReadHead(*connection, request.method, limits, response.head, deadline);
  if (!read.ok()) co_return read;
  const absl::Status body = co_await ReadAnswerBody(
      *connection, response.head, request.max_body_bytes, response.body, deadline);
  if (!body.ok()) co_return body;
  if (response.head.keep_alive && response.head.framing != Framing::kUntilClose &&
      connection->in.empty()) {
    mine.Give(std::move(connection));
  }
  co_return response;
}

}  // namespace krypton::http
