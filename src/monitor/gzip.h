/* gzip of a file, for logs that are put aside. */
#ifndef KEG_MONITOR_GZIP_H
#define KEG_MONITOR_GZIP_H

/* Copies the rest of `from`, compressed, to `to`. 0 or -errno. */
int gzip_copy(int from, int to);

#endif
