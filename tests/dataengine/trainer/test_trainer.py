"""The package as a whole."""

import subprocess
import sys
import textwrap


def test_it_imports_nothing_of_the_engine_nor_any_stage():
    script = """
        import sys

        refused = "ray duckdb cv2 onnxruntime diffusers transformers huggingface_hub stages fonts".split()

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in refused:
                    raise ImportError(f"the trainer must not need {name}")

        sys.meta_path.insert(0, Refuse())
        import dataengine.trainer.loop, dataengine.trainer.sample

        modules = {name for name in sys.modules if name.startswith("dataengine.") and "trainer" not in name}
        print(sorted(modules))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plain = ("config", "decode", "device", "errors", "schema")
    lazy = ("models", "models.hub", "models.text_encoder", "models.vae")  # whose libraries are loaded when asked for
    assert done.stdout.strip() == str(sorted(f"dataengine.{name}" for name in (*plain, *lazy)))
