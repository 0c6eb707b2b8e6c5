"""English sentence or error template -> Chinese, with the same placeholders. A test finds templates that are missing here."""

from __future__ import annotations

ZH = {
    # the page
    "Small vision-language models on this machine. Pictures and questions stay here.": (
        "在本机运行的小型视觉语言模型。图片和问题不会离开这台机器。"
    ),
    "Conversation": "对话",
    "Ask about a picture, or try an example.": "针对一张图片提问，或试试下面的例子。",
    "Ask a question, or try an example.": "提一个问题，或试试下面的例子。",
    "Add a picture (button, drop or paste), type a question, press Enter": "添加图片（点按钮、拖放或粘贴），输入问题，按回车发送",
    "Type a question, press Enter": "输入问题，按回车发送",
    "Advanced": "高级设置",
    "System prompt": "系统提示词",
    "Longest answer, in tokens": "回答最长 token 数",
    "Temperature": "温度",
    "0 always takes the likeliest token": "0 表示总取概率最高的 token",
    "Top p": "Top p",
    "Top k": "Top k",
    "0 is no limit": "0 表示不限",
    "Repetition penalty": "重复惩罚",
    "Seed": "随机种子",
    "Empty draws a new answer each time": "留空则每次结果不同",
    "Error": "出错了",
    "This model cannot run here yet": "这个模型暂时无法在这里运行",
    "{count} preset files are left out": "有 {count} 个预设文件未载入",
    "One preset file is left out": "有 1 个预设文件未载入",
    "{engine} on {device}": "{engine}，运行于 {device}",
    # the status line
    "Asleep. It wakes with the first question.": "休眠中，提第一个问题时自动唤醒。",
    "Loading": "加载中",
    "Loading: {stage}": "加载中：{stage}",
    "{percent} %": "{percent}%",
    "{seconds} s": "{seconds} 秒",
    "Ready.": "就绪。",
    "Stopping.": "正在停止。",
    "Failed.": "失败。",
    "Cannot run here.": "无法在这里运行。",
    "{tokens} tokens in {total_s:.1f} s, the first after {first_s:.2f} s.": (
        "{tokens} 个 token，用时 {total_s:.1f} 秒，首个 token {first_s:.2f} 秒。"
    ),
    "The answer reached its limit of {tokens} tokens: raise it under Advanced.": (
        "回答达到 {tokens} 个 token 的上限，可在“高级设置”中调大。"
    ),
    # words that fill a sentence
    "cpu": "CPU",
    "weights": "读取权重",
    "warm-up": "预热",
    # questions
    "There is no question yet.": "还没有输入问题。",
    "Type one and press Enter.": "请输入问题后按回车。",
    "{model} reads text alone; it cannot look at pictures.": "{model} 只处理文字，不能看图片。",
    "Take the picture out, or ask in the tab of a model for pictures.": "请去掉图片，或到支持图片的模型的标签页提问。",
    "Something went wrong on the server.": "服务器内部出错。",
    "The terminal that runs the page says more. The question is still here; ask again.": (
        "详细信息见运行本页面的终端。问题仍然保留，可以再问一次。"
    ),
    # pictures
    "{name} is cut short or damaged, and cannot be shown": "{name} 不完整或已损坏，无法显示",
    "Save the picture again, or try another one.": "请重新保存这张图片，或换一张。",
    "There is no file {name}": "没有文件 {name}",
    "Check the path.": "请检查路径。",
    "{name} is empty": "{name} 是空文件",
    "Upload a PNG, JPEG, WebP, GIF or BMP file.": "请上传 PNG、JPEG、WebP、GIF 或 BMP 文件。",
    "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a picture may have": (
        "{name} 有 {size_mb:.1f} MB，超过图片上限 {limit_mb:g} MB"
    ),
    "Make the picture smaller, or save it as JPEG.": "请缩小图片，或存为 JPEG。",
    "{name} is not a file that can be read": "{name} 不是可以读取的文件",
    "Give the picture file itself.": "请给出图片文件本身。",
    "{name} has too many pixels to be opened safely": "{name} 像素过多，无法安全打开",
    "Make the picture smaller.": "请缩小图片。",
    "{name} is not a picture that can be read": "{name} 不是可以识别的图片",
    "{name} has {width} x {height} pixels, more than the {limit_mp:g} million a picture may have": (
        "{name} 有 {width} x {height} 像素，超过图片上限 {limit_mp:g} 百万像素"
    ),
}
