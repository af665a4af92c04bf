/* clang-format off */
/* How others speak to a monitor.
 *
 * Every packet is one JSON object on a SOCK_SEQPACKET unix socket, at most MONITOR_PACKET_MAX bytes, with up to
 * FD_PASS_MAX descriptors. What may be large (an OCI configuration, a process) travels as a memfd.
 *
 * kegd spawns `keg-monitor` with the control socket as descriptor 3 and the container's RUN directory
 * (RUN/containers/<id>, 0700) as its working directory; the monitor listens on MONITOR_SOCKET there, for this
 * and every later kegd. Control socket and connections take the same requests. A request gets exactly one reply:
 *     {"ok": {…}}   or   {"error": {"kind": "not found", "errno": 2, "message": "…"}}
 * Packets with an "event" member are events and no reply; they come on the control socket and on connections
 * that asked for "watch". A peer that doesn't read (256 packets or 1 MiB behind) is disconnected.
 *
 * Requests
 *   start    {"op":"start","id":ID,"tty":bool,"open_stdin":bool,"stdin_once":bool,
 *             "network":"new"|"inherit"|"config",     new: the monitor makes and holds the network namespace
 *             "overlay":{"lower":[…],"upper":…,"work":…,"volatile":bool},   without: root.path, from "bundle"
 *             "runtime":[PATH,ARGUMENT…],               another runtime's program; absent: ours
 *             "host_mounts":PATH,                       the mount namespace that shared binds belong to; may be absent
 *             "bundle":PATH, "seccomp_cache":PATH, "console_size":[height,width],
 *             "log":{"driver":NAME,…},                see monitor/logger.h
 *             "restart":{"name":POLICY,"limit":n},     "always", "unless-stopped", "on-failure" (limit 0: none), or none
 *             "sources":n,                            mounts source-0 … below the RUN directory, for this start and those to
 *                                                     come; the monitor takes them away in the end
 *             "restart_count":n, "joins":{"network"|"ipc"|"pid":ID of the container whose namespace it is},
 *             "health":{"args":[…],"interval":ns,"timeout":ns,"start_period":ns,"start_interval":ns,"retries":n,
 *                       "on_failure":"none"|"restart"|"stop"|"kill","stop_signal":n,"stop_timeout":ns}}
 *                                                     fd 0: memfd with the OCI configuration
 *            With "network":"new" the configuration has no network namespace; the event "network" comes first
 *            (fds: the namespace, and a NETLINK_ROUTE socket bound inside it; lo is up) and the monitor waits,
 *            while it prepares the rest, for the request "network-ready". With a new user namespace the event
 *            comes after that preparation, and the network namespace belongs to the user namespace.
 *            ok: {"pid":N,"started_at":ns,"time":of the event "start"}; error kinds "no program" (127) and "cannot invoke" (126) are the
 *            program's. After an error, and when its peer goes before the reply, the monitor cleans up and exits.
 *   network-ready
 *            {"op":"network-ready","names":b}         no reply of its own: goes on with start. names: with a name
 *                                                     server for MONITOR_NAMES (dns.h)
 *            {"op":"network-ready","error":{as in replies}}   gives up: start fails with this error
 *   attach   {"op":"attach","stdin":b,"stdout":b,"stderr":b,"framed":b,"detach_keys":TEXT,"input":HEX,
 *             "websocket":"text"|"binary" or absent,"exec_id":ID or absent}    fd 0: the client's stream, a SOCK_STREAM socket
 *            framed: Docker's 8-byte header before each piece (no tty). websocket: both ways
 *            in frames instead, its output in those of that kind. input: bytes already read from the client.
 *            Allowed before start. From the reply on the stream is the monitor's alone: it closes it at the end of
 *            output, or on detach. After an error it hasn't touched it. How streams flow: monitor/session.h.
 *   exec     {"op":"exec","exec_id":ID,"tty":b,"open_stdin":b,"privileged":b,"console_size":[h,w],
 *             "ends_with":"process"|"client" or absent,   what it has started ends with its first process; all of it, when
 *                                                     its client hangs up, too
 *             "attach":{as in attach} or null}        fd 0: memfd with the OCI process, fd 1: the client's stream
 *            ok: {"pid":N}. After an error the stream is untouched: keep a copy until the reply.
 *   exec-left {"op":"exec-left","exec_id":ID,"end":b}   ok: {"pids":[…]}, what runs of it, or goes on after its end. end:
 *            SIGKILL to all of it first
 *   signal   {"op":"signal","signal":N,"all":b,"manual":b}      manual: no policy brings it back after this
 *   stop     {"op":"stop","signal":N,"timeout":ns}   negative: for ever. Replies at once; SIGKILL follows when the time is over,
 *            or at once when the first process wouldn't take notice of the signal. No policy brings it back.
 *   restart  {"op":"restart","signal":N,"timeout":ns}   stops it, as "stop", to be started again: by the one who asks, if the
 *            connection is still there at the end ("exit" with "restart"), else by the monitor.
 *   update   {"op":"update","restart":{…},"resources":{OCI linux.resources, for the next start},"now":b}
 *            now: the runtime sets them at once, too
 *   freeze   {"op":"freeze","on":b}                 by the runtime, for containers of others than ours
 *   resize   {"op":"resize","exec_id":ID or absent,"height":n,"width":n}
 *   state    ok: {"status":"created"|"running"|"restarting"|"stopped","pid":N,"started_at":ns,"exit_code":n,"oom_killed":b,
 *                 "finished_at":ns,"restart_count":n,"stopped":b (by hand),"health":{"status":…,"failing_streak":n},
 *                 "error":{as in replies: why a policy couldn't start it again},"execs":{ID:{"running":b,"pid":n,"exit_code":n,
 *                 "left":true: it has ended, and something it started goes on}}}
 *            execs has what runs, what ended while nobody listened, and some of what ended before.
 *   network  an event "network" on this connection, with the same descriptors as at the start, then the reply: the
 *            networks of a running container change
 *   names    opens the name server, if it isn't open: for a container that came to its first network of users
 *   watch    ok: as state; from then on this connection gets every event.
 *
 * Events of the journal: each is a line of MONITOR_EVENTS (or MONITOR_PROBES) before it is sent, with the "time" (ns) at which it happened, later
 * than that of the one before. Who was away reads there what it missed.
 *   {"event":"start","pid":n,"started_at":ns,"restart_count":n,"manual":b}      also the first time, before the reply
 *   {"event":"restarting","exit_code":n,"oom_killed":b,"started_at":ns,"finished_at":ns,
 *    "restart_count":n,"manual":b}
 *            an end; it will be started again after a while, or at once (manual: by "restart")
 *   {"event":"kill","signal":n}                             sent by "signal", "stop" or a health check's action
 *   {"event":"oom"}
 *   {"event":"health","status":"healthy"|"unhealthy","failing_streak":n}
 *   {"event":"exec-exit","exec_id":ID,"exit_code":n,"left":as in state}   sent before the exec's streams are closed
 *   {"event":"exit","exit_code":n,"oom_killed":b,"finished_at":ns,"stopped":b,"again":b,"restart":b,
 *    "error":…}
 *            sent after MONITOR_EXIT is on disk and the log is complete, before the streams are closed. again: "restarting"
 *            has told of this end before. restart: it is for kegd to start it again: who asked for
 *            "restart" is still there, or its network has to be made anew (a user namespace of its own)
 *   {"event":"probe-start","exec_id":ID,"args":[…]} {"event":"probe-exit",… "exit_code":n}   a health check; these are in
 *            MONITOR_PROBES, so that they push nothing else out
 * Other events
 *   {"event":"network"}                                     see start
 *   {"event":"attach","exec_id":…} {"event":"detach","exec_id":…}    a client came / left by its detach keys
 *
 * Files in the RUN directory, each replaced by rename:
 *   MONITOR_STATE  the reply to "state", written at each start, end and change of health
 *   MONITOR_EXIT   the same after the end, with "execs". The monitor leaves (drains its clients and exits)
 *                  without waiting for anybody: this file is how a later kegd learns the exit code. No socket and
 *                  no exit file means the machine went down: nothing is known.
 *   MONITOR_EVENTS, MONITOR_EVENTS_OLD   the journal: the last 16 KiB and more while somebody listens, up to 512 KiB when
 *                  nobody does
 *   MONITOR_PROBES, MONITOR_PROBES_OLD   the same for health checks, up to 128 KiB
 *   MONITOR_HEALTH the last five results of the health check: Docker's State.Health.Log
 * Before it writes MONITOR_EXIT the monitor has removed cgroups and reaped every process of the container.
 *
 * exit_code is 0…255, 128+n after signal n. Times are ns since 1970. Peers must have the monitor's own uid. */
/* clang-format on */
#ifndef KEG_MONITOR_PROTOCOL_H
#define KEG_MONITOR_PROTOCOL_H

enum { MONITOR_PACKET_MAX = 65536, MONITOR_CONTROL_FD = 3 };

#define MONITOR_SOCKET "monitor.sock"
#define MONITOR_STATE  "state.json"
#define MONITOR_EXIT   "exit.json"
#define MONITOR_NAMES  "names" /* written by kegd: monitor/dns_names.h */
#define MONITOR_HEALTH "health.json"
#define MONITOR_EVENTS "events"
#define MONITOR_EVENTS_OLD "events.old"
#define MONITOR_PROBES "probes"
#define MONITOR_PROBES_OLD "probes.old"

#endif
