# tcpdump, ip, ss, nft on the host's own network; no file of the host's.
summary = see and change the host's network
share   = net
caps    = docker net_admin net_raw net_bind_service
