// Bounds a wait for calls of the API: unless it is destroyed in time, it shuts the clients down,
// which ends their calls, and so the wait.
//
//   {
//     const Patience patience({&client}, std::chrono::seconds(3));
//     workers.Stop();  // Waits for what runs, which waits for the client.
//   }
//
// The clients outlive it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace krypton::kube {

class Client;

class Patience {
 public:
  Patience(std::vector<Client*> clients, std::chrono::milliseconds time);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace krypton::kube
