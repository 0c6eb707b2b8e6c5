"""Why the system refuses something, in Chinese; by its own words, which its errors carry."""

from __future__ import annotations

import errno
import os

REASONS = {
    os.strerror(number): chinese
    for number, chinese in {
        errno.EACCES: "没有权限",
        errno.EPERM: "不允许这样做",
        errno.ENOENT: "没有这个文件或文件夹",
        errno.EISDIR: "这是一个文件夹",
        errno.ENOTDIR: "路径中有一部分不是文件夹",
        errno.EEXIST: "已有同名文件",
        errno.ENAMETOOLONG: "名称过长",
        errno.ELOOP: "符号链接层数过多",
        errno.ENOSPC: "磁盘空间已满",
        errno.EDQUOT: "磁盘配额已用完",
        errno.EROFS: "文件系统是只读的",
        errno.EFBIG: "文件过大",
        errno.EIO: "读写时出错",
        errno.ESTALE: "网络磁盘上的文件已失效",
        errno.EBUSY: "正被占用",
        errno.EMFILE: "打开的文件过多",
        errno.ENFILE: "整个系统打开的文件过多",
        errno.ENOMEM: "内存不足",
        errno.EINVAL: "参数无效",
    }.items()
}
