// bench-load requests|events|idle|chat --to HOST:PORT [--target T] [--host H] [--connections N]
//            [--seconds S] [--warmup S] [--rate R] [--pace_us N] [--samples FILE]
#include "bench/load.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "bench/net.h"

namespace krypton::bench {
namespace {

int Usage() {
  std::fprintf(stderr,
               "usage: bench-load requests|events|idle|chat --to HOST:PORT [--name VALUE]...\n");
  return 2;
}

}  // namespace

std::string RequestText(const LoadSettings& settings) {
  return "GET " + settings.target + " HTTP/1.1\r\nHost: " + settings.host +
         "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
}

int Main(int argc, char** argv) {
  if (argc < 2) return Usage();
  std::map<std::string, std::string> flags;
  for (int i = 2; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  LoadSettings settings;
  for (const auto& [name, value] : flags) {
    if (name == "--to")
      settings.to = value;
    else if (name == "--target")
      settings.target = value;
    else if (name == "--host")
      settings.host = value;
    else if (name == "--connections")
      settings.connections = std::atoi(value.c_str());
    else if (name == "--seconds")
      settings.seconds = std::atof(value.c_str());
    else if (name == "--warmup")
      settings.warmup = std::atof(value.c_str());
    else if (name == "--rate")
      settings.rate = std::atof(value.c_str());
    else if (name == "--pace_us")
      settings.pace_us = std::atoi(value.c_str());
    else if (name == "--samples")
      settings.samples = value;
    else
      return Usage();
  }
  RaiseFileLimit();
  const std::string kind = argv[1];
  if (kind == "requests") return RunRequests(settings);
  if (kind == "events") return RunEvents(settings);
  if (kind == "idle") return RunIdle(settings);
  if (kind == "chat") return RunChat(settings);
  return Usage();
}

}  // namespace krypton::bench

int main(int argc, char** argv) { return krypton::bench::Main(argc, argv); }
