"""architectures: every box of a model is drawn, in its order, inside the axes."""

from fashion_rir.figures import architectures


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def assert_inside(axes) -> None:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for box in axes.patches:
        if hasattr(box, "get_boxstyle"):
            assert left <= box.get_x() and box.get_x() + box.get_width() <= right
            assert low <= box.get_y() and box.get_y() + box.get_height() <= high


def test_a_label_tuned_network_goes_from_photo_to_loss() -> None:
    _, axes = architectures.label_tuned("ResNet50", n_classes=141, title="Model g")
    assert axes.get_title() == "Model g"
    assert texts(axes)[0] == "photo" and "ResNet50" in texts(axes) and "141 types" in texts(axes)
    assert_inside(axes)


def test_two_views_go_through_one_network_to_one_loss() -> None:
    _, axes = architectures.contrastive("ResNet50", is_pretrained=True, title="Model h")
    shown = texts(axes)
    assert shown.count("ResNet50") == 2 and shown.count("NT-Xent") == 1
    assert {"view 1", "view 2", "the same weights"} <= set(shown)
    assert shown.count("512 numbers") == 2
    assert_inside(axes)


def test_from_random_weights_there_is_no_hidden_layer() -> None:
    _, axes = architectures.contrastive("ResNet50", is_pretrained=False, title="Model i")
    assert "random weights" in texts(axes)
    assert "512 numbers" not in texts(axes)
    assert texts(axes).count("128 numbers") == 2
