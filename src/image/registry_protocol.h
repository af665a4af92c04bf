/* How kegd and the worker program keg-registry speak.
 *
 * kegd spawns keg-registry for one repository, with one end of a SOCK_SEQPACKET pair as descriptor 3. Every
 * packet is one JSON object of at most REGISTRY_PACKET_MAX bytes. The worker leaves when that socket ends.
 *
 * The first packet opens:
 *   {"op":"open","domain":"docker.io","path":"library/busybox","name":"busybox",
 *    "insecure":["host:port"|CIDR…],"mirrors":[URL…],"certificates":DIR,"stall_seconds":n,
 *    "push":bool,"sources":[path of a repository that blobs may be mounted from…],
 *    "auth":{"username","password","identity_token","registry_token"},
 *    "others":{HOST[:PORT]: the same members…}}          no reply
 * "others" are for mirrors at those hosts, and for the registry itself ("docker.io" is Docker Hub) where "auth" is empty.
 * It is read with the privileges the worker was started with, so that client keys can be read; then they are
 * dropped.
 *
 * Each request has a reply socket of its own as its first descriptor (SOCK_SEQPACKET too), and, where bytes
 * come or go, the file or pipe for them as its second. Requests run side by side. Closing the reply socket cancels the request.
 *   {"op":"manifest","reference":TAG|DIGEST,"display":"busybox:latest"}   fds: reply, out
 *      ok: {"media_type":…,"digest":…,"size":n}    the bytes are in out, verified against a digest asked for
 *   {"op":"blob","digest":DIGEST,"size":n}         fds: reply, out
 *      ok: {"size":n}    exactly n bytes were written to out; their digest is the reader's to verify
 *   {"op":"push-blob","digest":DIGEST,"sources":[path…]}      fds: reply, file
 *      ok: {"how":"exists"|"mounted"|"uploaded","from":path}   the whole file is the blob
 *   {"op":"push-manifest","reference":TAG|DIGEST,"media_type":…}   fds: reply, file
 *      ok: {"digest":what the registry says, or "","subject":has it noticed the manifest's subject?}
 *   {"op":"document","path":"/v2/…"}                fds: reply, out
 *      ok: {"next":path of the next page or absent}   any JSON document of at most 4 MiB
 *   {"op":"url","url":"https://…"}                 fds: reply, out
 *      ok: {"size":n}    whatever is there, from any server, without credentials
 *   {"op":"login"}                                 fds: reply
 *      ok: {"token":refresh token or absent}
 * Replies on the reply socket: any number of {"progress":bytes}, then one of
 *   {"ok":{…}}  {"error":{"kind":"not found","errno":0,"message":…}} */
#ifndef KEG_IMAGE_REGISTRY_PROTOCOL_H
#define KEG_IMAGE_REGISTRY_PROTOCOL_H

enum { REGISTRY_PACKET_MAX = 65536, WORKER_SOCKET_FD = 3 };

#endif
