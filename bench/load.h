// The load generator's four kinds of load. Each is one thread around one epoll and says what it
// saw as one line of JSON.
#pragma once

#include <cstdint>
#include <string>

namespace krypton::bench {

struct LoadSettings {
  std::string to;  // HOST:PORT
  std::string target = "/json";
  std::string host = "bench.local";
  int connections = 1;
  double seconds = 1;  // Measured, after the warm-up.
  double warmup = 0.2;
  double rate = 0;  // Requests a second, at random moments; 0: each connection one after another.
  int pace_us = 10'000;  // Between two tokens of a chat.
  // A file of requests, a line each: when it began by the monotonic clock and what it took, in ns.
  std::string samples;
};

// Requests over connections that are kept. With a rate, a request's time begins at the moment that
// was drawn for it, whether or not a connection was free then.
int RunRequests(const LoadSettings& settings);
// Streams of events that bear the time at which they were sent.
int RunEvents(const LoadSettings& settings);
// Connections that have had one answer each and are held until standard input ends.
int RunIdle(const LoadSettings& settings);

// Chats of 200 tokens, one after another on each connection, each begun at a moment of its own.
int RunChat(const LoadSettings& settings);

// The request as it is sent.
std::string RequestText(const LoadSettings& settings);

}  // namespace krypton::bench
