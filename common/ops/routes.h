// What an ops server answers, apart from sockets: the four routes of every process, the component's
// plain routes, and the transcoder behind them. Set up before the first Answer; after that any
// thread may call Answer and SetDraining.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/metrics/registry.h"
#include "common/ops/server.h"
#include "common/transcode/transcoder.h"

namespace krypton::ops {

class Routes {
 public:
  // `ops_routes` false: only plain routes and the transcoder.
  Routes(std::string component, std::shared_ptr<metrics::Registry> registry, bool ops_routes);

  void AddReadinessCheck(std::string name, std::function<absl::Status()> check);
  void AddReadinessNote(std::string name, std::function<std::string()> note);
  void AddLivenessCheck(std::string name, std::function<absl::Status()> check);
  void Handle(std::string method, std::string path, Handler handler);
  void SetTranscoder(std::shared_ptr<transcode::Transcoder> transcoder);
  void SetDraining() { draining_ = true; }

  transcode::Response Answer(const transcode::Request& request) const;
  // True for a request that is one of the four routes: short, small, and always to be answered.
  bool IsQuick(std::string_view method, std::string_view path) const;

 private:
  using Checks = std::vector<std::pair<std::string, std::function<absl::Status()>>>;

  transcode::Response Quick(const transcode::Request& request, std::string_view path) const;
  transcode::Response Plain(const transcode::Request& request, const Handler& handler) const;
  transcode::Response Metrics(const transcode::Request& request) const;
  transcode::Response Alive() const;
  transcode::Response Ready() const;

  const std::string component_;
  const std::shared_ptr<metrics::Registry> registry_;
  const bool ops_routes_;
  Checks liveness_checks_;
  Checks readiness_checks_;
  std::vector<std::pair<std::string, std::function<std::string()>>> notes_;
  std::map<std::string, std::map<std::string, Handler>> handlers_;  // path, method
  std::shared_ptr<transcode::Transcoder> transcoder_;
  std::atomic<bool> draining_{false};
};

// Of a request's fields, the first of this name in any case; empty when there is none.
std::string HeaderOf(const transcode::Request& request, std::string_view name);

}  // namespace krypton::ops
