/* How kegd and the worker program keg-archive speak.
 *
 * kegd spawns keg-archive with the archive (tar: plain, gzip, zstd, xz, bzip2) as standard input and one end of a
 * SOCK_SEQPACKET pair as descriptor 3. One JSON object a packet. For each regular file and link in the
 * archive, in order: worker: {"entry":{"name":NAME,"type":"file"|"link","size":n,"target":NAME}} NAME is
 * relative and clean; a link's target is resolved against its folder already kegd, for files only:
 * {"take":true} with the descriptor to write it to, and maybe that of a pipe, into which a byte is written, without
 * waiting, when there is more in it; or {"take":false}. Worker, for taken files:
 * {"done":{"digest":DIGEST,"size":n}} and at the end {"end":{}} or {"error":{"kind":…,"errno":n,"message":…}}. The
 * worker leaves when either side is done.
 *
 * "keg-archive compress" has a plain layer as standard input: kegd sends {"take":true} with the descriptor to write the gzip
 * to, the worker at its end {"done":{"digest":DIGEST,"plain":DIGEST of the input,"size":n}} or an error as above. "keg-archive expand" has a layer compressed
 * with xz or bzip2 and writes the plain tar; its end is {"done":{"digest":DIGEST,"size":n}}. */
#ifndef KEG_IMAGE_ARCHIVE_PROTOCOL_H
#define KEG_IMAGE_ARCHIVE_PROTOCOL_H

enum { ARCHIVE_PACKET_MAX = 16384, ARCHIVE_NAME_MAX = 1024 };

#endif
