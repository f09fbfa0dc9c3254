// A page for people at / and /ui: the agents and models, their replicas, and why, asked anew every
// two seconds under /api/v1, so that it works wherever /ui and /api reach the control plane. No
// state, and nothing from elsewhere: the page's policy lets it load from its own origin only.
#pragma once

namespace krypton::ops {
class Server;
}

namespace krypton::controlplane {

// Declares the page's routes. Before `server` is started.
void AddUi(ops::Server& server);

}  // namespace krypton::controlplane
