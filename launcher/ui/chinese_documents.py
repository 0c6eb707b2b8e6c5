"""What is said of documents, videos and how pictures are seen, in Chinese."""

from __future__ import annotations

DOCUMENTS = {
    "{name} is not a document or a video that can be opened": "{name} 不是可以打开的文档或视频",
    "Give one of these: {formats}.": "请使用以下格式之一：{formats}。",
    "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a document or a video may have": (
        "{name} 有 {size_mb:.1f} MB，超过文档或视频 {limit_mb:g} MB 的上限"
    ),
    "{name} has {size} MB, more than the {limit} MB a document or a video may have": (
        "{name} 有 {size} MB，超过文档或视频 {limit} MB 的上限"
    ),
    "Make it smaller, or give pictures of what matters.": "请缩小文件，或只上传重要部分的图片。",
    "{name} takes too much time or memory to be opened safely": "{name} 占用的时间或内存过多，无法安全打开",
    "Give fewer pages, a shorter or smaller video, or pictures of what matters.": (
        "请减少页数、缩短或缩小视频，或只上传重要部分的图片。"
    ),
    "{name} is locked with a password": "{name} 设有密码",
    "Save it without one, and give that file.": "请另存为无密码的文件后再上传。",
    "{name} has no pages": "{name} 没有页面",
    "Give another file.": "请换一个文件。",
    "{name} has no picture in it": "{name} 里没有画面",
    "Give a video that shows something, or pictures.": "请使用有画面的视频，或直接上传图片。",
    "{name} lasts {minutes:.0f} minutes; a video may last {limit} at most": (
        "{name} 长 {minutes:.0f} 分钟；视频最长 {limit} 分钟"
    ),
    "Cut it to what matters.": "请剪出重要的部分。",
    "{name} is damaged, or of a kind that cannot be read": "{name} 已损坏，或是无法读取的类型",
    "Save it again as PDF or as MP4 (H.264), or give pictures of it.": (
        "请重新保存为 PDF 或 MP4（H.264），或上传其图片。"
    ),
    "Too many documents and videos are being read.": "正在读取的文档和视频过多。",
    "Wait a moment, and add it again.": "请稍候，再添加一次。",
    "{name}: {taken} of {count} pages, as pictures of one tile each": (
        "{name}：共 {count} 页，取 {taken} 页作为图片，每张占一个图块"
    ),
    "{name}: {taken} of {count} frames, as pictures of one tile each": (
        "{name}：共 {count} 帧，取 {taken} 帧作为图片，每张占一个图块"
    ),
    "{name}: its only page, as a picture of one tile": "{name}：仅有的一页作为图片，占一个图块",
    "{name}: its only frame, as a picture of one tile": "{name}：仅有的一帧作为图片，占一个图块",
    "This model does not say how it looks at pictures.": "这个模型不说明它如何看图片。",
    "{from} pixels, seen as one tile of {width} × {height}: {tokens} tokens": (
        "{from} 像素，模型看到的是一个 {width} × {height} 的图块：{tokens} 个 token"
    ),
    "{from} pixels, seen as one tile of {width} × {height}: {tokens} token": (
        "{from} 像素，模型看到的是一个 {width} × {height} 的图块：{tokens} 个 token"
    ),
    "{from} pixels, seen as {tiles} tiles of {width} × {height} and a thumbnail: {tokens} tokens": (
        "{from} 像素，模型看到的是 {tiles} 个 {width} × {height} 的图块和一张缩略图：{tokens} 个 token"
    ),
    "{from} pixels, seen as {tiles} tiles of {width} × {height}: {tokens} tokens": (
        "{from} 像素，模型看到的是 {tiles} 个 {width} × {height} 的图块：{tokens} 个 token"
    ),
    "{name}: show it as the model sees it": "{name}：按模型看到的样子显示",
    "Looking …": "正在查看 …",
    "Close": "关闭",
    "Reading {name} …": "正在读取 {name} …",
    "{count} token": "{count} 个 token",
    "{count} tokens": "{count} 个 token",
    "{told}: {tokens}": "{told}：{tokens}",
}
