#include "manager/platform/kubernetes/client/patience.h"

#include <utility>

#include "common/log/log.h"
#include "manager/platform/kubernetes/client/client.h"

namespace krypton::kube {

Patience::Patience(std::vector<Client*> clients, std::chrono::milliseconds time)
    : thread_([this, clients = std::move(clients), time] {
        {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, time, [this] { return over_; })) return;
        }
        log::Warn("the API server does not answer, and is not waited for any longer");
        for (Client* client : clients) client->Shutdown();
      }) {}

Patience::~Patience() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

}  // namespace krypton::kube
