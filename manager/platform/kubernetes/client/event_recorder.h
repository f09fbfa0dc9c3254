// EventRecorder tells users what happened to their objects (events.k8s.io/v1; `kubectl describe`
// shows them). Emit returns at once: a thread of the recorder's own writes.
//
// The same event again (object, type, reason, action, note) within six minutes becomes a series of
// the first, which is written at most each `series_interval`; each object has a budget of new
// events (25, one more each five minutes, as client-go's spam filter); the queue is bounded. What
// is dropped is counted: krypton_events_dropped_total. Any thread; Stop writes what is queued
// within `patience`, and waits for the write that runs (patience.h bounds that). The client
// outlives the recorder; with a write gate, only the leader's events leave.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace krypton::kube {

class Client;

struct EventTarget {
  std::string api_version;
  std::string kind;
  std::string name_space;
  std::string name;
  std::string uid;
};

enum class EventType { kNormal, kWarning };

struct EventRecorderSettings {
  std::string controller = "krypton.ai/manager";  // reportingController
  std::string instance;                           // reportingInstance: the pod's name
  std::chrono::milliseconds series_interval{30'000};
  std::chrono::milliseconds series_end{360'000};
  int burst_per_object = 25;
  std::chrono::milliseconds refill_per_object{300'000};
  // Writes for all objects together.
  double writes_per_second = 5;
  int burst = 50;
  // Events, and objects, that are remembered.
  size_t max_remembered = 4096;
};

class EventRecorder {
 public:
  EventRecorder(Client& client, EventRecorderSettings settings, prometheus::Registry& metrics);
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  void Start();
  // `reason` and `action` are CamelCase and specific ("ScaledUp", "Scale"); a `note` is cut to
  // 1024 bytes.
  void Emit(const EventTarget& regarding, EventType type, std::string reason, std::string action,
            std::string note);
  void Stop(std::chrono::milliseconds patience = std::chrono::milliseconds(0));

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::kube
