// What the benchmark's own server and load generator share: sockets on the loopback device and the
// clock. Both are one thread around one epoll, as cheap as can be, so that they are not what is
// measured. Errors end the program: it is a tool, started anew for each figure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct epoll_event;

namespace krypton::bench {

// CLOCK_MONOTONIC: comparable between processes of one machine.
std::int64_t NowNs();
// Ends the program with `what` and errno's text.
[[noreturn]] void Fail(const std::string& what);
// Lets the process have as many descriptors as it may.
void RaiseFileLimit();

// 127.0.0.1:`port`, listening, non-blocking; `port` becomes the real one.
int Listen(std::uint16_t& port);
// Connects to HOST:PORT, or a PORT of 127.0.0.1; blocks until it is connected, then non-blocking.
int Connect(const std::string& address);
// What is written goes out without waiting for more (TCP_NODELAY). Connect does so by itself.
void SendAtOnce(int fd);
// Registers `fd` with `epoll` under `data`.
void Watch(int epoll, int fd, std::uint32_t events, void* data);
void Rewatch(int epoll, int fd, std::uint32_t events, void* data);
// epoll_wait with nanoseconds; `deadline_ns` in NowNs's time, negative for never.
int WaitUntil(int epoll, epoll_event* events, int max, std::int64_t deadline_ns);

// The number that follows `name` (lower case, with its colon) in a head; -1 without.
std::int64_t HeaderNumber(std::string_view head, std::string_view name);
// The number of `name=` in a query string; `otherwise` without.
std::int64_t QueryNumber(std::string_view target, std::string_view name, std::int64_t otherwise);

}  // namespace krypton::bench
